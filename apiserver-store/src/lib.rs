//! A revisioned object store on SQL: gapless revisions, commit order, group commit.
