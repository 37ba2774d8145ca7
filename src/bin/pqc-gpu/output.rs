//! What the program prints: one JSON object or a table on standard output, progress on standard error.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// Prints one JSON object on one line.
pub(crate) fn json(object: &impl Serialize) -> Result<(), Failure> {
    text_out(&json_line(object)?)
}

/// A JSON object as a line.
pub(crate) fn json_line(object: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(object).map_err(|error| Failure::other(format!("cannot write JSON: {error}")))?;
    Ok(text + "\n")
}

/// Prints lines for people.
pub(crate) fn lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    let text: String = lines.into_iter().flat_map(|line| [printable(line.as_ref()), "\n".into()]).collect();
    text_out(&text)
}

/// Prints rows in aligned columns, the first row being their names. Columns of numbers are set to the right.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let cells: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))).collect();
    let width = |column: usize| {
        let longest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        longest.max(header[column].chars().count())
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let right: [bool; N] =
        std::array::from_fn(|column| !cells.is_empty() && cells.iter().all(|row| is_number(&row[column])));
    let line = |cell: &dyn Fn(usize) -> String| {
        let padded = (0..N).map(|column| match right[column] {
            true => format!("{:>1$}", cell(column), widths[column]),
            false => format!("{:<1$}", cell(column), widths[column]),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head = line(&|column| header[column].to_owned());
    lines(std::iter::once(head).chain(cells.iter().map(|row| line(&|column| row[column].clone()))))
}

/// A figure with three digits that mean something, however small it is.
pub(crate) fn significant(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 || !v.is_normal() => 0,
        v => (2.0 - v.log10().floor()).clamp(0.0, 9.0) as usize,
    };
    format!("{value:.digits$}")
}

/// Says something beside the result, on standard error.
pub(crate) fn note(text: impl AsRef<str>) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr(), "pqc-gpu: {}", printable(text.as_ref()));
}

/// Text with its control characters escaped, so that names in files cannot drive the terminal or forge lines.
pub(crate) fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect(),
        false => String::from(c),
    };
    text.chars().map(escape).collect()
}

/// A path as it is shown.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// A progress bar on standard error. It shows itself only on a terminal, and only once the work has lasted a second.
pub(crate) struct Progress {
    started: Instant,
    total: u64,
    done: u64,
    style: &'static str,
    bar: Option<ProgressBar>,
    wanted: bool,
}

impl Progress {
    /// Counts bytes.
    pub(crate) fn bytes(total: u64) -> Self {
        Self::new(total, "{bar:40} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}")
    }

    /// Counts things.
    pub(crate) fn items(total: u64) -> Self {
        Self::new(total, "{bar:40} {pos}/{len}  {eta}")
    }

    fn new(total: u64, style: &'static str) -> Self {
        Progress { started: Instant::now(), total, done: 0, style, bar: None, wanted: io::stderr().is_terminal() }
    }

    /// Tells that this much more is done.
    pub(crate) fn advance(&mut self, more: u64) {
        self.done += more;
        if self.wanted && self.bar.is_none() && self.started.elapsed() > Duration::from_secs(1) {
            let bar = ProgressBar::new(self.total).with_elapsed(self.started.elapsed());
            // A style that indicatif refuses leaves its own.
            self.bar = Some(match ProgressStyle::with_template(self.style) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            });
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit()) && cell.parse::<f64>().is_ok()
}

/// Writes to standard output. A reader that went away (`| head`) is no failure: the exit code stays that of the work.
fn text_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::other(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(printable("weights\u{1b}[2J\n"), "weights\\u{1b}[2J\\n");
        assert_eq!(printable("größe"), "größe");
    }

    #[test]
    fn small_figures_keep_their_digits() {
        let shown = [0.0, 0.000_123_4, 0.0456, 1.0, 23.45, 99.96, 123.4].map(significant);
        assert_eq!(shown, ["0", "0.000123", "0.0456", "1.00", "23.4", "100.0", "123"]);
    }

    #[test]
    fn numbers_are_told_from_names() {
        assert!(is_number("12") && is_number("1.5"));
        assert!(!is_number("inf") && !is_number("cpu") && !is_number("-") && !is_number(""));
    }
}
