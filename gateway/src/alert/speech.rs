//! Spoken on the box, by espeak-ng: `espeak-ng -v cmn --stdin`. No shell, and the text goes in by the
//! standard input, so that nothing in it can be an option.

use std::process::Stdio;
use std::time::Duration;

use gatehouse_core::alert::Outcome;
use gatehouse_core::community::quantity::Language;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::channel::Message;
use super::config::SpeechConfig;
use super::http::{later, shortened};

/// A program that speaks for longer has lost its loudspeaker.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn send(speech: &SpeechConfig, message: &Message) -> Outcome {
    let text = message.letter.spoken();
    for _ in 0..speech.times.max(1) {
        match tokio::time::timeout(PATIENCE, say(speech, message.letter.language, &text)).await {
            Ok(Ok(())) => {}
            Ok(Err(outcome)) => return outcome,
            Err(_) => return later("the program did not end in time"),
        }
    }
    Outcome::Sent
}

async fn say(speech: &SpeechConfig, language: Language, text: &str) -> Result<(), Outcome> {
    let voice = match language {
        Language::Zh => "cmn",
        Language::En => "en",
    };
    let program = &speech.program;
    let mut child = Command::new(program)
        .args(["-v", voice, "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            let why = format!(
                "`{}` cannot be started ({error}); is espeak-ng installed?",
                program.display()
            );
            Outcome::Misconfigured { why }
        })?;
    if let Some(mut input) = child.stdin.take() {
        // One that reads nothing says so by how it ends.
        drop(input.write_all(text.as_bytes()).await);
    }
    let ended = child.wait_with_output().await.map_err(|error| later(error.to_string()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = shortened(&String::from_utf8_lossy(&ended.stderr));
    Err(later(format!("`{}` ended with {}: {said}", program.display(), ended.status)))
}
