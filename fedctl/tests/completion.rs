//! Completion scripts: every shell gets one that it can read, and bash completes by it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Command, Stdio};

fn script(shell: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_fedctl"))
        .args(["completion", shell])
        .output()
        .unwrap();
    assert!(output.status.success(), "{shell}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program on a script; `None` if there is no such program here.
fn run(program: &str, arguments: &[&str], script: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().unwrap();
    input.write_all(script.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_shell_gets_a_script_of_its_own() {
    for (shell, sign, check) in [
        ("bash", "complete -F _fedctl", &["-n"][..]),
        ("zsh", "#compdef fedctl", &["-n"]),
        ("fish", "complete -c fedctl", &["--no-execute"]),
    ] {
        let script = script(shell);
        assert!(script.contains(sign), "{shell}");
        for word in ["playground", "cell", "mask", "status", "all-namespaces"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        if run(shell, check, &script).is_none() {
            eprintln!("SKIPPED, NOT PASSED: there is no {shell} to read its script");
        }
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let complete = |words: &str| {
        let asked = format!(
            "{}\nCOMP_WORDS=({words} '')\nCOMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _fedctl fedctl '' \"${{COMP_WORDS[COMP_CWORD - 1]}}\"\necho \"${{COMPREPLY[@]}}\"\n",
            script("bash")
        );
        run("bash", &["--norc"], &asked)
    };
    let Some(commands) = complete("fedctl") else {
        eprintln!("SKIPPED, NOT PASSED: there is no bash");
        return;
    };
    for word in ["up", "join", "status", "completion"] {
        assert!(commands.split_whitespace().any(|w| w == word), "{commands}");
    }
    let flags = complete("fedctl unjoin").unwrap();
    assert!(flags.contains("--cluster-kubeconfig"), "{flags}");
    let of_cells = complete("fedctl cell").unwrap();
    assert!(of_cells.contains("create"), "{of_cells}");
}

#[test]
fn a_reader_that_stops_early_ends_it_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fedctl"))
        .args(["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        (output.status.code(), said.as_ref()),
        (Some(141), ""),
        "as a shell reports SIGPIPE"
    );
}
