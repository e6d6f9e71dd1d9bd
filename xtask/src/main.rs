//! Code generation and checks: cargo xtask {codegen,deps,tidy,test,bench}.

fn main() {}
