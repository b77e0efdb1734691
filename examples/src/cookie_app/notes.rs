use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

const MAX_CHARS: usize = 200;
/// The oldest go first.
const MAX_NOTES: usize = 20;

/// What users have written, as they wrote it: the page shows it as text.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Vec<Note>>);

#[derive(Clone, Debug, Serialize)]
pub(super) struct Note {
    author: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
}

impl Notes {
    pub(super) fn all(&self) -> Vec<Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds `{"text": …}`.
    pub(super) fn add(&self, author: &str, body: &[u8]) -> Result<(), &'static str> {
        let Ok(NewNote { text }) = serde_json::from_slice(body) else {
            return Err("the body is not {\"text\": …} in JSON");
        };
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_CHARS {
            return Err("a note has 1 to 200 characters");
        }
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= MAX_NOTES {
            notes.remove(0);
        }
        notes.push(Note { author: author.into(), text: text.into() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_as_it_was_written_and_the_oldest_goes_first() {
        let notes = Notes::default();
        for number in 0..=MAX_NOTES {
            let body = format!(r#"{{"text":" <b>{number}</b> "}}"#);
            assert_eq!(notes.add("writer", body.as_bytes()), Ok(()));
        }
        let texts: Vec<_> = notes.all().into_iter().map(|note| note.text).collect();
        assert_eq!(texts.len(), MAX_NOTES);
        assert_eq!((&*texts[0], &*texts[MAX_NOTES - 1]), ("<b>1</b>", "<b>20</b>"));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let long = format!(r#"{{"text":"{}"}}"#, "é".repeat(MAX_CHARS + 1));
        for body in ["", "text=a", "{}", r#"{"text":7}"#, r#"{"text":" "}"#, r#"{"text":"a","author":"b"}"#, &long] {
            let notes = Notes::default();
            assert!(notes.add("writer", body.as_bytes()).is_err(), "{body:.40}");
            assert!(notes.all().is_empty(), "{body:.40}");
        }
        assert_eq!(Notes::default().add("writer", long.replacen('é', "", 1).as_bytes()), Ok(()));
    }
}
