//! Label selectors: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1` (`k8s.io/apimachinery/pkg/labels`).

use std::fmt;

use crate::labels::Labels;

/// How a requirement judges a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It has one of the values. (`=`, `==`, `in`)
    In,
    /// It is absent or has none of the values. (`!=`, `notin`)
    NotIn,
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
    /// It is an integer greater than the only value.
    GreaterThan,
    /// It is an integer less than the only value.
    LessThan,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// The comparison.
    pub operator: Operator,
    /// What it is compared with; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

impl Requirement {
    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let among = |value: &str| self.values.iter().any(|known| known == value);
        let compare = |test: fn(i64, i64) -> bool| {
            let bound = self.values.first().and_then(|v| v.parse().ok());
            let number = value.and_then(|v| v.parse().ok());
            number.zip(bound).is_some_and(|(n, b)| test(n, b))
        };
        match self.operator {
            Operator::In => value.is_some_and(among),
            Operator::NotIn => !value.is_some_and(among),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => compare(|n, b| n > b),
            Operator::LessThan => compare(|n, b| n < b),
        }
    }
}

/// All requirements must hold; none selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// The requirements, sorted by key.
    pub requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Reads the text form; an empty text selects everything.
    ///
    /// # Errors
    /// [`ParseLabelsError`], which reads as upstream's.
    pub fn parse(text: &str) -> Result<Self, ParseLabelsError> {
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
        };
        let mut requirements = parser.selector()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self { requirements })
    }

    /// Are the labels selected?
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|r| r.matches(labels))
    }

    /// Does it select everything?
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

/// Why a text is not a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLabelsError(String);

impl fmt::Display for ParseLabelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseLabelsError {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    End,
}

impl Token {
    fn literal(&self) -> &str {
        match self {
            Self::Word(word) => word,
            Self::Symbol(symbol) => symbol,
            Self::End => "",
        }
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(s) if *s == symbol)
    }
}

const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            out.push(Token::End);
            return out;
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|s| rest.starts_with(s)) {
            out.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
            continue;
        }
        let special = |c: char| c.is_whitespace() || "=!(),><".contains(c);
        let end = rest.find(special).unwrap_or(rest.len());
        out.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn selector(&mut self) -> Result<Vec<Requirement>, ParseLabelsError> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) => {}
                Token::Symbol("!") => {}
                Token::End => return Ok(requirements),
                other => {
                    let found = other.literal();
                    return Err(ParseLabelsError(format!(
                        "found '{found}', expected: !, identifier, or 'end of string'"
                    )));
                }
            }
            let requirement = self.requirement();
            requirements.push(requirement.map_err(|error| {
                ParseLabelsError(format!("unable to parse requirement: {error}"))
            })?);
            match self.take() {
                Token::End => return Ok(requirements),
                Token::Symbol(",") => {
                    let next = self.peek();
                    if !matches!(next, Token::Word(_)) && !next.is("!") {
                        let found = next.literal();
                        return Err(ParseLabelsError(format!(
                            "found '{found}', expected: identifier after ','"
                        )));
                    }
                }
                other => {
                    let found = other.literal();
                    return Err(ParseLabelsError(format!(
                        "found '{found}', expected: ',' or 'end of string'"
                    )));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, ParseLabelsError> {
        let negated = self.peek().is("!");
        if negated {
            self.at += 1;
        }
        let key = match self.take() {
            Token::Word(word) => word,
            other => {
                let found = other.literal();
                return Err(ParseLabelsError(format!(
                    "found '{found}', expected: identifier"
                )));
            }
        };
        check_key(&key)?;
        let exists = matches!(self.peek(), Token::End) || self.peek().is(",");
        if negated || exists {
            let operator = if negated {
                Operator::DoesNotExist
            } else {
                Operator::Exists
            };
            return Ok(Requirement {
                key,
                operator,
                values: Vec::new(),
            });
        }
        let operator = self.operator()?;
        let set = matches!(
            self.tokens.get(self.at - 1),
            Some(Token::Word(word)) if matches!(word.as_str(), "in" | "notin")
        );
        let values = if set {
            self.set()?
        } else {
            vec![self.exact()?]
        };
        for value in &values {
            check_value(&key, operator, value)?;
        }
        Ok(Requirement {
            key,
            operator,
            values,
        })
    }

    fn operator(&mut self) -> Result<Operator, ParseLabelsError> {
        let token = self.take();
        match token.literal() {
            "=" | "==" | "in" => Ok(Operator::In),
            "!=" | "notin" => Ok(Operator::NotIn),
            ">" => Ok(Operator::GreaterThan),
            "<" => Ok(Operator::LessThan),
            found => Err(ParseLabelsError(format!(
                "found '{found}', expected: in, notin, =, ==, !=, gt, lt"
            ))),
        }
    }

    fn exact(&mut self) -> Result<String, ParseLabelsError> {
        if matches!(self.peek(), Token::End) || self.peek().is(",") {
            return Ok(String::new());
        }
        match self.take() {
            Token::Word(word) => Ok(word),
            other => {
                let found = other.literal();
                Err(ParseLabelsError(format!(
                    "found '{found}', expected: identifier"
                )))
            }
        }
    }

    fn set(&mut self) -> Result<Vec<String>, ParseLabelsError> {
        let open = self.take();
        if !open.is("(") {
            let found = open.literal();
            return Err(ParseLabelsError(format!("found '{found}' expected: '('")));
        }
        let mut values = Vec::new();
        let mut word = None;
        loop {
            match self.take() {
                Token::Word(text) if word.is_none() => word = Some(text),
                Token::Symbol(",") => values.push(word.take().unwrap_or_default()),
                Token::Symbol(")") => {
                    values.push(word.take().unwrap_or_default());
                    return Ok(values);
                }
                other => {
                    let found = other.literal();
                    return Err(ParseLabelsError(format!(
                        "found '{found}', expected: ',' or ')'"
                    )));
                }
            }
        }
    }
}

fn name_like(text: &str, longest: usize) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= longest
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

fn check_key(key: &str) -> Result<(), ParseLabelsError> {
    let good = match key.split_once('/') {
        Some((prefix, name)) => {
            let label = |part: &str| {
                name_like(part, 253) && !part.contains(['_', '.']) && part == part.to_lowercase()
            };
            prefix.len() <= 253 && prefix.split('.').all(label) && name_like(name, 63)
        }
        None => name_like(key, 63),
    };
    if good {
        return Ok(());
    }
    if key.matches('/').count() > 1 {
        return Err(ParseLabelsError(format!(
            "<nil>: Invalid value: {key:?}: a valid label key must consist of alphanumeric characters, '-', '_' or '.', and \
             must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
             validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. \
             'example.com/MyName')"
        )));
    }
    Err(ParseLabelsError(format!(
        "<nil>: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and must start \
         and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
         '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    )))
}

fn check_value(key: &str, operator: Operator, value: &str) -> Result<(), ParseLabelsError> {
    let comparison = matches!(operator, Operator::GreaterThan | Operator::LessThan);
    if comparison && value.parse::<i64>().is_err() {
        return Err(ParseLabelsError(format!(
            "values[0][{key}]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an integer"
        )));
    }
    if value.is_empty() || name_like(value, 63) {
        return Ok(());
    }
    Err(ParseLabelsError(format!(
        "values[0][{key}]: Invalid value: {value:?}: a valid label must be an empty string or consist of alphanumeric \
         characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  \
         or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter(|pair| !pair.is_empty());
        pairs.filter_map(|pair| pair.split_once('=')).collect()
    }

    #[test]
    fn selects_as_upstream() {
        let cases = [
            ("", "x=1", true),
            ("x=a", "x=a", true),
            ("x==a", "x=b", false),
            ("x=a,y=b", "x=a,y=b", true),
            ("x=a , y = b", "x=a", false),
            ("x!=a", "", true),
            ("x!=a", "x=a", false),
            ("x in (a, b)", "x=b", true),
            ("x in (a,b)", "x=c", false),
            ("x in (a,)", "x=", true),
            ("x notin (a,b)", "y=1", true),
            ("x notin (a,b)", "x=a", false),
            ("x", "x=", true),
            ("x", "", false),
            ("!x", "", true),
            ("!x", "x=1", false),
            ("x>1", "x=2", true),
            ("x>1", "x=a", false),
            ("x<1", "x=0", true),
            ("x=", "x=", true),
            ("x=,y", "x=,y=1", true),
            ("in in (in)", "in=in", true),
            (
                "app.kubernetes.io/name=web",
                "app.kubernetes.io/name=web",
                true,
            ),
        ];
        for (selector, set, selected) in cases {
            let parsed = LabelSelector::parse(selector).unwrap();
            assert_eq!(
                parsed.matches(&labels(set)),
                selected,
                "{selector} on {set}"
            );
        }
    }

    #[test]
    fn refuses_in_upstreams_words() {
        let cases = [
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            (
                "=a",
                "found '=', expected: !, identifier, or 'end of string'",
            ),
            (
                "a in b",
                "unable to parse requirement: found 'b' expected: '('",
            ),
            (
                "a in (b",
                "unable to parse requirement: found '', expected: ',' or ')'",
            ),
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            (
                "!=a",
                "found '!=', expected: !, identifier, or 'end of string'",
            ),
        ];
        for (selector, message) in cases {
            let error = LabelSelector::parse(selector).unwrap_err().to_string();
            assert_eq!(error, message);
        }
        for bad in ["-a=b", "a=-b", "A_/x=1", "a>b", "a/b/c=1", "a=ü"] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad}");
        }
    }
}
