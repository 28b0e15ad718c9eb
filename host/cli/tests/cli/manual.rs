//! Completions and manual pages.

use crate::support::{assert_fails, stderr, stdout, wrt_vm};
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn each_shell_has_completions_of_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = wrt_vm().args(["completions", shell]).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{shell}: {}", stderr(&output));
        let script = stdout(&output);
        for word in ["run", "compile", "doctor", "max-memory", "batch"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // The hidden command; `run` has an option of that name.
        for hidden in ["Be a VM of another process", "man worker", "subcmd__worker"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
    }
    assert_fails(
        &wrt_vm().args(["completions", "csh"]).output().expect("the binary runs"),
        2,
        &["csh", "bash"],
    );
}

/// By the shell itself, where there is one.
#[test]
fn bash_completes_commands_and_options() {
    let script = stdout(&wrt_vm().args(["completions", "bash"]).output().expect("it runs"));
    let test = format!(
        "{script}\ncomplete_words() {{ COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); \
         _wrt_vm wrt-vm \"${{!#}}\" \"\"; echo \"${{COMPREPLY[@]}}\"; }}\n\
         complete_words wrt-vm ru\ncomplete_words wrt-vm run --max-\n"
    );
    let bash = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut bash) = bash else {
        return crate::support::skip("no bash");
    };
    bash.stdin.take().expect("a pipe").write_all(test.as_bytes()).expect("it reads");
    let output = bash.wait_with_output().expect("it ends");
    let lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines.first().map(String::as_str), Some("run"), "{}", stderr(&output));
    assert!(lines.get(1).is_some_and(|line| line.contains("--max-memory")), "{lines:?}");
}

#[test]
fn every_command_has_a_page() {
    let page = wrt_vm().arg("man").output().expect("the binary runs");
    assert!(stdout(&page).contains(".TH wrt-vm 1"), "{}", stdout(&page));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let to = dir.path().join("man1");
    let output = wrt_vm().arg("man").arg(&to).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut names: Vec<_> = std::fs::read_dir(&to)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    for name in ["wrt-vm.1", "wrt-vm-run.1", "wrt-vm-compile.1", "wrt-vm-doctor.1"] {
        assert!(names.iter().any(|other| other == name), "{names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("worker")), "{names:?}");
    let run = std::fs::read_to_string(to.join("wrt-vm-run.1")).expect("a page");
    for part in ["max\\-memory", "124", "timeout was reached"] {
        assert!(run.contains(part), "{part:?} is not in {run}");
    }
    let nowhere = wrt_vm().args(["man", "/proc/nowhere"]).output().expect("the binary runs");
    assert_fails(&nowhere, 1, &["/proc/nowhere"]);
}

/// The page says it all, so that other texts need not.
#[test]
fn exit_codes_stand_in_one_place() {
    let help = wrt_vm().args(["run", "--help"]).output().expect("the binary runs");
    let help = stdout(&help);
    assert_eq!(help.matches("Exit codes:").count(), 1, "{help}");
    for code in ["1  it could not be run", "2  wrong usage", "124  ", "130, 143  ", "134  "] {
        assert!(help.contains(code), "{code:?} is not in {help}");
    }
}
