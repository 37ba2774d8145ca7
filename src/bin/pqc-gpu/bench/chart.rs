//! The figures as bars, in SVG 1.1 without scripts or outside fonts.

use std::fmt::Write;

use super::report::{Report, Row, Section};
use crate::output::{printable, significant};

const WIDTH: u32 = 1040;
const MARGIN: u32 = 24;
const LABELS: u32 = 310;
const BARS: u32 = 320;
const ROW: u32 = 24;
const BAR: u32 = 14;

/// What others are compared with, and what is compared.
const PLAIN: &str = "#9aa5b1";
const OURS: &str = "#1d4ed8";

/// Draws a report. Bars have one scale within a group: a section's figures of one size.
pub(super) fn draw(report: &Report) -> String {
    let (mut body, mut y) = (String::new(), MARGIN + 16);
    text(&mut body, MARGIN, y, "18", "600", "pqc-gpu bench");
    y += ROW;
    text(&mut body, MARGIN, y, "12", "400", &format!("{} ({})", report.device, report.name));
    y += 18;
    text(&mut body, MARGIN, y, "12", "400", &report.driver);
    if report.software {
        y += 18;
        text(&mut body, MARGIN, y, "12", "600", "Software: a CPU runs the shaders. These are no GPU's figures.");
    }
    y += 18;
    let about = format!(
        "Medians. Grey: plain or raw, blue: ours. Longer is faster, except under Times. Sustained: {} tensors in flight.",
        report.in_flight
    );
    text(&mut body, MARGIN, y, "12", "400", &about);
    for section in Section::ALL {
        let rows: Vec<&Row> = report.rows.iter().filter(|row| row.section == section).collect();
        for (heading, rows) in groups(section, &rows) {
            y += ROW + 12;
            text(&mut body, MARGIN, y, "14", "600", &heading);
            y += 6;
            let longest = rows.iter().map(|row| value(row)).fold(0.0, f64::max);
            for row in rows {
                y += ROW;
                bar(&mut body, y, row, value(row) / longest);
            }
        }
    }
    for absent in &report.not_measured {
        y += ROW + 12;
        text(&mut body, MARGIN, y, "12", "400", &format!("{}: not measured: {}", absent.what, absent.why));
    }
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" fill=\"#111827\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// A section's rows by size, each with a heading. Times stand together.
fn groups<'a>(section: Section, rows: &[&'a Row]) -> Vec<(String, Vec<&'a Row>)> {
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for &row in rows {
        let heading = match section {
            Section::Times => section.title().to_owned(),
            _ => format!("{}, {}", section.title(), row.size()),
        };
        match groups.last_mut() {
            Some((last, rows)) if *last == heading => rows.push(row),
            _ => groups.push((heading, vec![row])),
        }
    }
    groups
}

/// What a bar's length stands for.
fn value(row: &Row) -> f64 {
    row.gbps.unwrap_or(row.seconds).max(0.0)
}

fn bar(body: &mut String, y: u32, row: &Row, share: f64) {
    let length = if share.is_finite() { (share * f64::from(BARS)).max(1.0) } else { 1.0 };
    let colour = if row.reference { PLAIN } else { OURS };
    text(body, MARGIN + 12, y, "12", "400", &row.what);
    let (left, top) = (MARGIN + LABELS, y - BAR + 3);
    // Writing to a String cannot fail.
    let _ = writeln!(
        body,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
    );
    let figure = match (row.gbps, row.ratio) {
        (Some(gbps), Some(ratio)) => {
            format!("{} GB/s, {} of {}", significant(gbps), significant(ratio), row.beside.as_deref().unwrap_or("it"))
        }
        (Some(gbps), None) => format!("{} GB/s", significant(gbps)),
        (None, _) => row.duration(),
    };
    text(body, left + length.ceil() as u32 + 8, y, "12", "400", &figure);
}

fn text(body: &mut String, x: u32, y: u32, size: &str, weight: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(body, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" font-weight=\"{weight}\">{text}</text>");
}

/// An adapter's name is whatever its driver says.
fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
