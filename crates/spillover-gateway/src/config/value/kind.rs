use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillover_core::BackendKind;

/// The form of OpenAI's API that a backend has. Paths are mapped by it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Kind")]
pub(crate) enum KindWord {
    /// Azure OpenAI: the v1 API is below `/openai/v1`, deployments are below `/openai/deployments`.
    Azure,
    /// OpenAI, or a service with its paths: the v1 API is below `/v1`.
    OpenAi,
    /// Any other service: no path is mapped.
    Other,
}

impl From<KindWord> for BackendKind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Azure => Self::Azure,
            KindWord::OpenAi => Self::OpenAi,
            KindWord::Other => Self::Other,
        }
    }
}

impl From<BackendKind> for KindWord {
    fn from(kind: BackendKind) -> Self {
        match kind {
            BackendKind::Azure => Self::Azure,
            BackendKind::OpenAi => Self::OpenAi,
            _ => Self::Other,
        }
    }
}
