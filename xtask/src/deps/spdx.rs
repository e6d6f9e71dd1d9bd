//! SPDX licence expressions: may we use something under these terms?
//!
//! Grammar (SPDX 3, annex on licence expressions, as crates.io uses it): `AND` binds tighter than `OR`, `WITH` joins a
//! licence and its exception into one term, parentheses group; the old `/` means `OR`.

use anyhow::{Result, bail};

/// Whether the terms can be met with licences for which `allowed` holds. A `WITH` term is asked for as a whole
/// (`Apache-2.0 WITH LLVM-exception`) and, since exceptions only add permissions, also by its licence alone.
///
/// # Errors
/// The expression is not well-formed.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        next: 0,
        allowed,
    };
    let result = parser.alternatives()?;
    if parser.next != words.len() {
        bail!("unexpected {:?}", words[parser.next]);
    }
    Ok(result)
}

struct Parser<'a> {
    words: &'a [&'a str],
    next: usize,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Parser<'a> {
    fn alternatives(&mut self) -> Result<bool> {
        let mut any = self.conjunction()?;
        while self.take("OR") {
            any |= self.conjunction()?;
        }
        Ok(any)
    }

    fn conjunction(&mut self) -> Result<bool> {
        let mut all = self.term()?;
        while self.take("AND") {
            all &= self.term()?;
        }
        Ok(all)
    }

    fn term(&mut self) -> Result<bool> {
        if self.take("(") {
            let inner = self.alternatives()?;
            if !self.take(")") {
                bail!("a parenthesis is not closed");
            }
            return Ok(inner);
        }
        let licence = self.word()?;
        // `X+` means X or any later version, so X itself will do.
        let allows = |name: &str| {
            (self.allowed)(name)
                || name
                    .strip_suffix('+')
                    .is_some_and(|exact| (self.allowed)(exact))
        };
        let licence_allowed = allows(licence);
        if self.take("WITH") {
            let exception = self.word()?;
            return Ok(licence_allowed || (self.allowed)(&format!("{licence} WITH {exception}")));
        }
        Ok(licence_allowed)
    }

    fn word(&mut self) -> Result<&'a str> {
        match self.words.get(self.next) {
            Some(&word) if !matches!(word, "(" | ")" | "AND" | "OR" | "WITH") => {
                self.next += 1;
                Ok(word)
            }
            Some(word) => bail!("a licence was expected before {word:?}"),
            None => bail!("a licence was expected at the end"),
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next) == Some(&word);
        self.next += usize::from(found);
        found
    }
}
