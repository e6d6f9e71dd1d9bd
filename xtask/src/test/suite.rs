//! The table of the suite: scenarios by columns of hub and members.
//!
//! The suite appends a line for each cell that it ran, `scenario ⇥ column ⇥ outcome ⇥ seconds`, to the file that `KOINON_TABLE` names.

use crate::table;

/// What the suite did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suite {
    columns: Vec<String>,
    /// Scenario, and an outcome for each column, in order of appearance.
    rows: Vec<(String, Vec<Option<Outcome>>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    word: String,
    seconds: String,
}

impl Suite {
    /// Reads the lines; those that are none of its own are ignored.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut suite = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            let [scenario, column, word, seconds] = words[..] else {
                continue;
            };
            let column = position(&mut suite.columns, column);
            let row = match suite.rows.iter().position(|(name, _)| name == scenario) {
                Some(row) => row,
                None => {
                    suite.rows.push((scenario.to_owned(), Vec::new()));
                    suite.rows.len() - 1
                }
            };
            let cells = &mut suite.rows[row].1;
            cells.resize(cells.len().max(column + 1), None);
            cells[column] = Some(Outcome {
                word: word.to_owned(),
                seconds: seconds.to_owned(),
            });
        }
        suite
    }

    /// Whether nothing of it was run, as with a filter that is about something else.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many cells are not green.
    #[must_use]
    pub fn not_green(&self) -> usize {
        let cells = self.rows.iter().flat_map(|(_, cells)| cells);
        cells.flatten().filter(|cell| cell.word != "ok").count()
    }

    /// The table.
    #[must_use]
    pub fn render(&self) -> String {
        let header: Vec<&str> = std::iter::once("suite")
            .chain(self.columns.iter().map(String::as_str))
            .collect();
        let cell = |cell: Option<&Option<Outcome>>| match cell {
            Some(Some(outcome)) => format!("{} ({} s)", outcome.word, outcome.seconds),
            _ => "-".to_owned(),
        };
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|(scenario, cells)| {
                let cells = (0..self.columns.len()).map(|column| cell(cells.get(column)));
                std::iter::once(scenario.clone()).chain(cells).collect()
            })
            .collect();
        table::render(&header, &rows)
    }
}

/// Where a name is in a list; it is appended if it is not there.
fn position(list: &mut Vec<String>, name: &str) -> usize {
    list.iter().position(|one| one == name).unwrap_or_else(|| {
        list.push(name.to_owned());
        list.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_a_table() {
        let suite = Suite::read(
            "drift\tone\tok\t1.5\nmask\tone\tok\t2.0\nmask\ttwo\tFAILED\t30.1\nnoise\n",
        );
        assert_eq!(suite.not_green(), 1);
        assert_eq!(
            suite.render(),
            "suite         one              two\n\
             drift  ok (1.5 s)                -\n\
             mask   ok (2.0 s)  FAILED (30.1 s)\n"
        );
    }

    #[test]
    fn nothing_is_no_table() {
        assert!(Suite::read("").is_empty());
    }
}
