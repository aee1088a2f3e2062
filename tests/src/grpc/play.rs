use tonic::Status;

/// A server's reaction to a call.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a test lists what it needs")]
pub enum Play {
    /// Answers; a stream has three messages.
    Serve,
    /// Refuses at once, in the head of the response.
    Refuse(Status),
    /// Refuses after the head and before the first message.
    RefuseLate(Status),
    /// Sends one message, then fails.
    Break(Status),
    /// Never answers.
    Stall,
}

impl Play {
    /// Returns the status of an exhausted server, with the pushback after which it may be called again.
    #[must_use]
    pub fn exhausted(pushback_ms: &str) -> Status {
        let mut status = Status::resource_exhausted("slow down");
        let value = pushback_ms.parse().unwrap();
        status
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", value);
        status
    }
}
