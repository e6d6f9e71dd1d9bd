//! The JSONPath of printer columns and scale subresources (`k8s.io/client-go/util/jsonpath`, the part that CRDs may use).
//!
//! `.a.b`, `['a.b']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `.*`, `..name`, `[?(@.type=='Ready')]`, `\.` in names. Missing fields are
//! not errors: they give no results.

use std::fmt;

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// Why a text is not a path that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// Byte offset in the text.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.what, self.at)
    }
}

impl std::error::Error for PathError {}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    Every,
    Descend(String),
    Filter(Filter),
}

#[derive(Clone, Debug, PartialEq)]
struct Filter {
    left: Operand,
    /// `None`: the left side exists.
    test: Option<(Comparison, Operand)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(Vec<Step>),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl JsonPath {
    /// Reads a path such as `.status.conditions[?(@.type=="Ready")].status`; braces around it and a leading `$` are fine.
    ///
    /// # Errors
    /// [`PathError`] for what is not such a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
        let mut parser = Parser {
            text: inner.unwrap_or(text),
            at: 0,
        };
        if !parser.eat("$") {
            parser.eat("@");
        }
        let steps = parser.steps()?;
        if parser.at < parser.text.len() {
            return Err(parser.error("unexpected character"));
        }
        Ok(Self { steps })
    }

    /// Everything that the path leads to, in order.
    pub fn find<'a>(&self, root: &'a Value) -> Vec<&'a Value> {
        walk(&self.steps, root)
    }

    /// The first thing that the path leads to.
    pub fn first<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.find(root).into_iter().next()
    }
}

fn walk<'a>(steps: &[Step], root: &'a Value) -> Vec<&'a Value> {
    let mut values = vec![root];
    for step in steps {
        values = values.into_iter().flat_map(|v| advance(step, v)).collect();
    }
    values
}

fn advance<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(index) => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            place(*index, items.len())
                .and_then(|i| items.get(i))
                .into_iter()
                .collect()
        }
        Step::Slice(from, to) => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            let clamp = |bound: i64| {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let absolute = if bound < 0 { bound + length } else { bound };
                usize::try_from(absolute.clamp(0, length)).unwrap_or(0)
            };
            let from = clamp(from.unwrap_or(0));
            let to = to.map_or(items.len(), clamp);
            items.get(from..to).unwrap_or_default().iter().collect()
        }
        Step::Every => children(value),
        Step::Descend(name) => {
            let mut found = Vec::new();
            descend(name, value, &mut found);
            found
        }
        Step::Filter(filter) => {
            let items = value.as_array().map_or(&[][..], Vec::as_slice);
            items.iter().filter(|item| filter.holds(item)).collect()
        }
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    if index >= 0 {
        return usize::try_from(index).ok();
    }
    let back = usize::try_from(index.unsigned_abs()).ok()?;
    length.checked_sub(back)
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn descend<'a>(name: &str, value: &'a Value, found: &mut Vec<&'a Value>) {
    found.extend(value.get(name));
    for child in children(value) {
        descend(name, child, found);
    }
}

impl Filter {
    fn holds(&self, item: &Value) -> bool {
        let Some(left) = self.left.value(item) else {
            return false;
        };
        let Some((comparison, right)) = &self.test else {
            return true;
        };
        right
            .value(item)
            .is_some_and(|right| comparison.holds(left, right))
    }
}

impl Operand {
    fn value<'a>(&'a self, item: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Path(steps) => walk(steps, item).into_iter().next(),
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            (Value::Number(a), Value::Number(b)) => a
                .as_f64()
                .zip(b.as_f64())
                .and_then(|(a, b)| a.partial_cmp(&b)),
            (a, b) => (a == b).then_some(std::cmp::Ordering::Equal),
        };
        match self {
            Self::Equal => order.is_some_and(|o| o.is_eq()),
            Self::NotEqual => !order.is_some_and(|o| o.is_eq()),
            Self::Less => order.is_some_and(|o| o.is_lt()),
            Self::LessOrEqual => order.is_some_and(|o| o.is_le()),
            Self::Greater => order.is_some_and(|o| o.is_gt()),
            Self::GreaterOrEqual => order.is_some_and(|o| o.is_ge()),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, what: &'static str) -> PathError {
        PathError { at: self.at, what }
    }

    /// As many steps as follow.
    fn steps(&mut self) -> Result<Vec<Step>, PathError> {
        let mut steps = Vec::new();
        loop {
            if self.eat("..") {
                steps.push(Step::Descend(self.name()?));
            } else if self.eat(".*") {
                steps.push(Step::Every);
            } else if self.rest().starts_with(".[") || self.rest() == "." {
                self.at += 1;
            } else if self.eat(".") {
                steps.push(Step::Field(self.name()?));
            } else if self.eat("[") {
                steps.push(self.bracket()?);
            } else {
                return Ok(steps);
            }
        }
    }

    /// A field name; a backslash takes the next character as it is.
    fn name(&mut self) -> Result<String, PathError> {
        let mut name = String::new();
        let mut escaped = false;
        let mut length = 0;
        for c in self.rest().chars() {
            if !escaped && (".[]()'\"=!<>@,}".contains(c) || c.is_whitespace()) {
                break;
            }
            length += c.len_utf8();
            escaped = !escaped && c == '\\';
            if !escaped {
                name.push(c);
            }
        }
        if name.is_empty() {
            return Err(self.error("a field name is missing"));
        }
        self.at += length;
        Ok(name)
    }

    fn bracket(&mut self) -> Result<Step, PathError> {
        self.space();
        let step = if self.eat("*") {
            Step::Every
        } else if self.eat("?(") {
            let filter = self.filter()?;
            self.space();
            if !self.eat(")") {
                return Err(self.error("the filter is not closed"));
            }
            Step::Filter(filter)
        } else if self.rest().starts_with(['\'', '"']) {
            Step::Field(self.quoted()?)
        } else {
            self.index()?
        };
        self.space();
        if !self.eat("]") {
            return Err(self.error("the bracket is not closed"));
        }
        Ok(step)
    }

    fn index(&mut self) -> Result<Step, PathError> {
        let from = self.integer();
        if self.eat(":") {
            return Ok(Step::Slice(from, self.integer()));
        }
        from.map(Step::Index)
            .ok_or_else(|| self.error("an index is missing"))
    }

    fn integer(&mut self) -> Option<i64> {
        let rest = self.rest();
        let digits = rest.trim_start_matches('-');
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let length = rest.len() - digits.len() + end;
        let number = rest[..length].parse().ok()?;
        self.at += length;
        Some(number)
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map(|(_, c)| c);
        let mut text = String::new();
        let mut escaped = false;
        for (offset, c) in chars {
            if escaped {
                text.push(c);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if Some(c) == quote {
                self.at += offset + c.len_utf8();
                return Ok(text);
            } else {
                text.push(c);
            }
        }
        Err(self.error("the quote is not closed"))
    }

    fn filter(&mut self) -> Result<Filter, PathError> {
        let left = self.operand()?;
        self.space();
        let found = COMPARISONS.into_iter().find(|(sign, _)| self.eat(sign));
        let test = match found {
            Some((_, comparison)) => Some((comparison, self.operand()?)),
            None => None,
        };
        Ok(Filter { left, test })
    }

    fn operand(&mut self) -> Result<Operand, PathError> {
        self.space();
        if self.eat("@") {
            return Ok(Operand::Path(self.steps()?));
        }
        if self.rest().starts_with(['\'', '"']) {
            return Ok(Operand::Literal(self.quoted()?.into()));
        }
        let rest = self.rest();
        let ends = |c: char| c.is_whitespace() || ")=!<>".contains(c);
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let value: Value = serde_json::from_str(word)
            .ok()
            .filter(|v: &Value| v.is_number() || v.is_boolean())
            .ok_or_else(|| self.error("an operand is missing"))?;
        self.at += word.len();
        Ok(Operand::Literal(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_where_they_should() {
        let object = json!({
            "metadata": {"name": "x", "labels": {"app.kubernetes.io/name": "web"}},
            "status": {"conditions": [
                {"type": "Ready", "status": "True", "n": 1},
                {"type": "Other", "status": "False", "n": 2},
            ]},
            "list": [1, 2, 3],
        });
        let cases = [
            (".metadata.name", json!(["x"])),
            ("{.metadata.name}", json!(["x"])),
            ("$.metadata['name']", json!(["x"])),
            (
                ".metadata.labels.app\\.kubernetes\\.io/name",
                json!(["web"]),
            ),
            (".metadata.labels['app.kubernetes.io/name']", json!(["web"])),
            (
                ".metadata.labels[\"app.kubernetes.io/name\"]",
                json!(["web"]),
            ),
            (
                ".status.conditions[?(@.type=='Ready')].status",
                json!(["True"]),
            ),
            (".status.conditions[?(@.type == \"Other\")].n", json!([2])),
            (".status.conditions[?(@.n>1)].type", json!(["Other"])),
            (".status.conditions[?(@.n!=1)].type", json!(["Other"])),
            (".status.conditions[?(@.gone)].type", json!([])),
            (".status.conditions[?(@.gone!='x')].type", json!([])),
            (".status.conditions[*].type", json!(["Ready", "Other"])),
            (".status.conditions[0].type", json!(["Ready"])),
            (".status.conditions[-1].type", json!(["Other"])),
            (".list[1:]", json!([2, 3])),
            (".list[:-1]", json!([1, 2])),
            (".list[7]", json!([])),
            (".list[-7]", json!([])),
            (".list.*", json!([1, 2, 3])),
            ("..type", json!(["Ready", "Other"])),
            (".missing.field", json!([])),
            (".metadata.name.deeper", json!([])),
        ];
        for (path, expected) in cases {
            let parsed = JsonPath::parse(path).unwrap();
            assert_eq!(json!(parsed.find(&object)), expected, "{path}");
        }
        assert_eq!(JsonPath::parse(".").unwrap().first(&object), Some(&object));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "a",
            ".a[",
            ".a[?(@.b=='c']",
            ".a['b",
            ".a[x]",
            ".a.",
            "..",
            ".a b",
            ".a[?(==1)]",
            ".ä[é]",
        ] {
            let refused = JsonPath::parse(text).is_err();
            assert_eq!(refused, text != ".a.", "{text}");
        }
    }
}
