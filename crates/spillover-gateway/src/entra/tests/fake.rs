//! A scripted token source that counts its calls.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::entra::{Failure, Fresh, Source, Tokens};

#[derive(Clone)]
pub(super) enum Answer {
    /// Prefix of the token; the number of the call follows.
    Token(&'static str, Duration),
    Exactly(&'static str, Duration),
    Late(Duration, Duration),
    Failure(&'static str),
    Never,
}

/// Calls and answers of a source. Gives each answer once, and then repeats the last one.
#[derive(Clone, Default)]
pub(super) struct Script {
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    answers: VecDeque<Answer>,
    calls: Vec<Instant>,
    running: usize,
    most_running: usize,
}

impl Script {
    pub(super) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let script = Self::default();
        script.answer(answers);
        script
    }

    pub(super) fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.book.lock().unwrap().answers = answers.into_iter().collect();
    }

    pub(super) fn calls(&self) -> Vec<Instant> {
        self.book.lock().unwrap().calls.clone()
    }

    pub(super) fn most_running(&self) -> usize {
        self.book.lock().unwrap().most_running
    }

    /// Returns the tokens of the source, without jitter.
    pub(super) fn tokens(&self) -> Tokens {
        Tokens::start(Scripted(self.clone()), || 0)
    }
}

struct Scripted(Script);

impl Source for Scripted {
    async fn token(&mut self) -> Result<Fresh, Failure> {
        let (answer, number) = {
            let mut book = self.0.book.lock().unwrap();
            book.calls.push(Instant::now());
            book.running += 1;
            book.most_running = book.most_running.max(book.running);
            let answer = if book.answers.len() > 1 {
                book.answers.pop_front()
            } else {
                book.answers.front().cloned()
            };
            (answer.expect("an answer"), book.calls.len())
        };
        let _running = Running(&self.0);
        let numbered = |name, valid_for| Fresh::new(format!("{name}-{number}"), valid_for, "fake");
        match answer {
            Answer::Token(name, valid_for) => Ok(numbered(name, valid_for)),
            Answer::Exactly(token, valid_for) => Ok(Fresh::new(token, valid_for, "fake")),
            Answer::Late(after, valid_for) => {
                sleep(after).await;
                Ok(numbered("late", valid_for))
            }
            Answer::Failure(reason) => Err(Failure::new(reason)),
            Answer::Never => pending().await,
        }
    }
}

struct Running<'a>(&'a Script);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.book.lock().unwrap().running -= 1;
    }
}

pub(super) const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
