//! JSON with its members in the order they are given, one a line.

pub enum Json {
    Text(String),
    Number(u64),
    List(Vec<Json>),
    /// A list on one line.
    Row(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

pub fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

pub fn hex(bytes: impl AsRef<[u8]>) -> Json {
    Json::Text(to_hex(bytes.as_ref()))
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn from_hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

impl Json {
    pub fn print(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out + "\n"
    }

    fn write(&self, out: &mut String, depth: usize) {
        let line = |out: &mut String, depth| out.extend(["\n", &"  ".repeat(depth)]);
        match self {
            Json::Text(text) => out.push_str(&serde_json::to_string(text).unwrap()),
            Json::Number(number) => out.push_str(&number.to_string()),
            Json::Row(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { ", " });
                    item.write(out, depth);
                }
                out.push(']');
            }
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    line(out, depth + 1);
                    item.write(out, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    line(out, depth + 1);
                    out.push_str(&format!("\"{name}\": "));
                    value.write(out, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
        }
    }
}
