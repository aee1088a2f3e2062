use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::watch,
};

use crate::e2e::soon;

/// The lines that a process writes, as they come.
#[derive(Debug)]
pub(super) struct Log {
    written: watch::Receiver<Written>,
}

#[derive(Debug, Default)]
struct Written {
    lines: Vec<Line>,
    is_ended: bool,
}

#[derive(Debug)]
struct Line {
    text: String,
    json: Option<Value>,
}

impl Log {
    pub(super) fn read(from: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let (writer, written) = watch::channel(Written::default());
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                let json = serde_json::from_str(&text).ok();
                writer.send_modify(|written| written.lines.push(Line { text, json }));
            }
            writer.send_modify(|written| written.is_ended = true);
        });
        Self { written }
    }

    /// Waits for `count` lines of which `wanted` holds, and returns all of them.
    pub(super) async fn wait_for(
        &self,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let mut found = Vec::new();
        let mut seen = 0;
        let mut written = self.written.clone();
        let enough = soon(written.wait_for(|written| {
            let new = written.lines[seen..].iter().map(Line::json);
            found.extend(new.filter(|line| wanted(line)).cloned());
            seen = written.lines.len();
            found.len() >= count || written.is_ended
        }));
        let text = enough.await.expect("the reader says when it ends").text();
        assert!(found.len() >= count, "it ended, having written:\n{text}");
        found
    }

    /// Waits for the end, and returns everything.
    pub(super) async fn text(&self) -> String {
        let mut written = self.written.clone();
        let ended = soon(written.wait_for(|written| written.is_ended)).await;
        ended.expect("the reader says when it ends").text()
    }

    /// Returns the lines that were written so far.
    pub(super) fn lines(&self) -> Vec<Value> {
        let written = self.written.borrow();
        written.lines.iter().map(Line::json).cloned().collect()
    }
}

impl Written {
    fn text(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| line.text.as_str()).collect();
        lines.join("\n")
    }
}

impl Line {
    /// A gateway that serves writes nothing but JSON: anything else is the message of a panic, say.
    fn json(&self) -> &Value {
        let Self { text, json } = self;
        json.as_ref()
            .unwrap_or_else(|| panic!("the log has a line that is no JSON: {text}"))
    }
}
