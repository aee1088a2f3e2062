//! The gRPC service of the examples, and a mock server for one of its backends.

mod server;

pub(crate) use self::{
    generated::{Prompt, completions_client::CompletionsClient},
    server::Server,
};

#[expect(
    unreachable_pub,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::doc_markdown,
    reason = "the code is generated"
)]
mod generated {
    tonic::include_proto!("completions.v1");
}
