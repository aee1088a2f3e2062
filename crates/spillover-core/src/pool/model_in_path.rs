use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Returns the model or deployment that a path names, without escapes.
///
/// | API | path | model |
/// |---|---|---|
/// | [Azure OpenAI](https://learn.microsoft.com/azure/ai-foundry/openai/reference) | `/openai/deployments/gpt-4o/chat/completions` | `gpt-4o` |
/// | [Gemini](https://ai.google.dev/api/generate-content) | `/v1beta/models/gemini-2.5-pro:generateContent` | `gemini-2.5-pro` |
/// | [Vertex AI](https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models) | `/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:countTokens` | `gemini-2.5-pro` |
/// | [Bedrock](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html) | `/model/amazon.nova-pro-v1%3A0/converse` | `amazon.nova-pro-v1:0` |
///
/// The case of `deployments` does not matter. The path of a model without a method, such as `/v1/models/gpt-4o`, is about the
/// list of models and names none.
///
/// ```
/// use spillover_core::model_in_path;
///
/// assert_eq!(model_in_path("/v1beta/models/gemini-2.5-pro:generateContent").as_deref(), Some("gemini-2.5-pro"));
/// assert_eq!(model_in_path("/v1/chat/completions"), None);
/// ```
#[must_use]
pub fn model_in_path(path: &str) -> Option<Cow<'_, str>> {
    // Searches bytes, because a search for characters takes twice as long and every request pays it.
    let mut segments = path.as_bytes().split(|&byte| byte == b'/');
    while let Some(segment) = segments.next() {
        // The length first: most segments are told apart by it.
        let model = match segment.len() {
            11 if segment.eq_ignore_ascii_case(b"deployments") => decode(segments.next()?),
            6 if segment == b"models" => before_method(decode(segments.next()?))?,
            5 if segment == b"model" => {
                let model = decode(segments.next()?);
                let operation = segments.next()?;
                if !BEDROCK_OPERATIONS.contains(&operation) {
                    return None;
                }
                model
            }
            _ => continue,
        };
        return (!model.is_empty()).then_some(model);
    }
    None
}

/// Returns true if a request at this path counts tokens. Its limit is not that of the model:
/// [Anthropic](https://docs.anthropic.com/en/docs/build-with-claude/token-counting), OpenAI's `/responses/input_tokens`, Gemini's and
/// Vertex AI's `:countTokens`, Bedrock's `count-tokens`.
pub(super) fn counts_tokens(path: &str) -> bool {
    // Most paths end with another letter.
    if !path.ends_with('s') {
        return false;
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    COUNTING.contains(&last) || last.ends_with(":countTokens") || last.ends_with("%3AcountTokens")
}

fn decode(segment: &[u8]) -> Cow<'_, str> {
    percent_decode(segment).decode_utf8_lossy()
}

/// Returns the part before the method of a resource, such as `generateContent`. OpenAI's fine-tuned models have colons, too.
fn before_method(resource: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let at = resource.rfind(':')?;
    let is_method = resource[at + 1..].starts_with(|c: char| c.is_ascii_lowercase());
    if !is_method || resource.starts_with("ft:") {
        return None;
    }
    Some(match resource {
        Cow::Borrowed(resource) => resource[..at].into(),
        Cow::Owned(resource) => resource[..at].to_owned().into(),
    })
}

const BEDROCK_OPERATIONS: [&[u8]; 6] = [
    b"invoke",
    b"invoke-with-response-stream",
    b"invoke-with-bidirectional-stream",
    b"converse",
    b"converse-stream",
    b"count-tokens",
];

const COUNTING: [&str; 3] = ["count_tokens", "input_tokens", "count-tokens"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_is_read_from_the_paths_of_each_api() {
        for (path, expected) in [
            ("/openai/deployments/gpt-4o/chat/completions", "gpt-4o"),
            ("/openai/Deployments/gpt%2D4o/embeddings", "gpt-4o"),
            ("/deployments/d", "d"),
            ("/v1beta/models/gemini-a:generateContent", "gemini-a"),
            (
                "/v1beta/models/gemini-a%3AstreamGenerateContent",
                "gemini-a",
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x@20250101:rawPredict",
                "claude-x@20250101",
            ),
            (
                "/model/us.anthropic.claude-v2%3A0/invoke",
                "us.anthropic.claude-v2:0",
            ),
            ("/model/nova/converse-stream", "nova"),
        ] {
            assert_eq!(model_in_path(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn other_paths_name_no_model() {
        for path in [
            "/",
            "",
            "/v1/chat/completions",
            "/v1/models",
            "/v1/models/gpt-4o",
            "/v1/models/ft:gpt-4o:acme::id",
            "/v1/models/:generateContent",
            "/model/nova",
            "/model/nova/versions",
            "/openai/deployments",
            "/openai/deployments//chat",
        ] {
            assert_eq!(model_in_path(path), None, "{path}");
        }
    }

    #[test]
    fn paths_that_count_tokens_are_recognized() {
        for path in [
            "/v1/messages/count_tokens",
            "/v1/responses/input_tokens",
            "/v1beta/models/gemini-a:countTokens",
            "/v1beta/models/gemini-a%3AcountTokens",
            "/model/nova/count-tokens",
        ] {
            assert!(counts_tokens(path), "{path}");
        }
        for path in [
            "/v1/messages",
            "/v1/chat/completions",
            "/v1/models/count_tokens/x",
            "/",
        ] {
            assert!(!counts_tokens(path), "{path}");
        }
    }
}
