//! Bearer tokens that are fixed when the server starts.

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::authenticate::TokenAuthenticator;
use crate::request::UserInfo;
use crate::status::ApiError;

/// Users by token. Only digests of the tokens are kept, so neither a memory dump nor the time that a look-up takes
/// tells a token.
#[derive(Clone, Default)]
pub struct TokenTable {
    users: HashMap<[u8; 32], UserInfo>,
}

/// A token file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("the token file cannot be read")]
    Read(#[source] std::io::Error),
    /// A line is not `token,user,uid[,"group1,group2"]`.
    #[error("line {line} of the token file must be: token,user,uid[,\"group1,group2\"]")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
}

impl TokenTable {
    /// No tokens.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token; `system:authenticated` is added to the groups. Of two equal tokens the later wins.
    #[must_use]
    pub fn with(mut self, token: &str, mut user: UserInfo) -> Self {
        if !user.groups.iter().any(|g| g == "system:authenticated") {
            user.groups.push("system:authenticated".to_owned());
        }
        self.users.insert(digest(token), user);
        self
    }

    /// Adds the tokens of another table.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        self.users.extend(other.users);
        self
    }

    /// Reads a file in the format of kube-apiserver's `--token-auth-file`: CSV lines of token, user name, uid and
    /// optionally one quoted column of groups. Empty lines and those that start with `#` are skipped.
    ///
    /// # Errors
    /// If the file cannot be read or a line has another form. Errors never show a token.
    pub fn from_file(path: &Path) -> Result<Self, TokenFileError> {
        Self::parse(&std::fs::read_to_string(path).map_err(TokenFileError::Read)?)
    }

    fn parse(text: &str) -> Result<Self, TokenFileError> {
        let mut table = Self::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let columns = columns(line);
            let [token, name, uid, groups @ ..] = columns.as_slice() else {
                return Err(TokenFileError::Line { line: index + 1 });
            };
            if token.is_empty() || name.is_empty() || groups.len() > 1 {
                return Err(TokenFileError::Line { line: index + 1 });
            }
            let user = UserInfo {
                name: name.clone(),
                uid: uid.clone(),
                groups: groups
                    .iter()
                    .flat_map(|g| g.split(','))
                    .map(|g| g.trim().to_owned())
                    .filter(|g| !g.is_empty())
                    .collect(),
                ..UserInfo::default()
            };
            table = table.with(token, user);
        }
        Ok(table)
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Splits a CSV line; commas inside double quotes do not separate, doubled quotes stand for one.
fn columns(line: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let last = columns.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                columns[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => columns.push(String::new()),
            c => columns[last].push(c),
        }
    }
    columns.iter().map(|c| c.trim().to_owned()).collect()
}

impl std::fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenTable({} tokens)", self.users.len())
    }
}

#[async_trait]
impl TokenAuthenticator for TokenTable {
    async fn authenticate(&self, token: &str) -> Result<Option<UserInfo>, ApiError> {
        Ok(self.users.get(&digest(token)).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn token_files_are_read_like_kube_apiservers() {
        let table = TokenTable::parse(
            "# admins\nabc,alice,1,\"dev, ops\"\n\n def , bob , 2 \n\"q\"\"x\",carl,3,one\n",
        )
        .unwrap();
        let alice = table.authenticate("abc").await.unwrap().unwrap();
        assert_eq!(alice.name, "alice");
        assert_eq!(alice.groups, ["dev", "ops", "system:authenticated"]);
        let bob = table.authenticate("def").await.unwrap().unwrap();
        assert_eq!((bob.name.as_str(), bob.uid.as_str()), ("bob", "2"));
        assert!(table.authenticate("q\"x").await.unwrap().is_some());
        assert!(table.authenticate("abcd").await.unwrap().is_none());
        assert_eq!(format!("{table:?}"), "TokenTable(3 tokens)");
    }

    #[test]
    fn bad_lines_are_named_without_the_token() {
        for text in ["abc", "abc,alice", ",alice,1", "a,b,c,d,e"] {
            let error = TokenTable::parse(text).unwrap_err();
            assert!(matches!(error, TokenFileError::Line { line: 1 }), "{text}");
            assert!(!error.to_string().contains("abc"));
        }
    }
}
