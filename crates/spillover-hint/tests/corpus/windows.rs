//! Exhausted accounts, exhausted windows of hours, days and months, and requests for resources that a backend lacks.

use crate::check_responses;

#[test]
fn exhausted_window_is_a_quota_with_the_stated_wait() {
    check_responses(&[
        // https://docs.anthropic.com/en/api/rate-limits#spend-limits
        (
            400,
            "x-should-retry: false",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2015-10-22 at 00:00 UTC."}}"#,
            "quota: 59580s by prose (last-resort), unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified workspace API usage limits. You will regain access on 2015-11-01 at 00:00 UTC."}}"#,
            "quota: 923580s by prose (last-resort), unspecified/unknown",
        ),
        // The backend of ChatGPT, as used by Codex.
        (
            429,
            "",
            r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"team","resets_at":1445953620,"resets_in_seconds":529498}}"#,
            "quota: 529498s by resets-in-seconds (stated), unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_at":1445427000}}"#,
            "quota: 14580s by resets-in-seconds (stated), unspecified/unknown",
        ),
        // https://docs.z.ai/api-reference/api-code
        (
            429,
            "",
            r#"{"error":{"code":"1308","message":"Usage limit reached for 5 hour. Your limit will reset at 2015-10-21 10:00:00"}}"#,
            "quota: 9180s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":"1310","message":"Weekly/Monthly Limit Exhausted. Your limit will reset at 2015-10-26 07:27:00"}}"#,
            "quota: 432000s by prose (last-resort), unspecified/month",
        ),
        (
            429,
            "",
            r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":"1302","message":"High concurrency usage of this API, please reduce concurrency"}}"#,
            "throttled: -, unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"No capacity left.","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED"}]}}"#,
            "quota: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn exhausted_window_is_read_from_a_bare_sentence() {
    check_responses(&[
        (
            429,
            "",
            r#""You've hit your session limit. It resets in 2h 5m.""#,
            "quota: 7500s by prose (last-resort), unspecified/unknown",
        ),
        (
            429,
            "content-type: text/plain",
            "You have reached your weekly limit.",
            "quota: -, unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"detail":"Your monthly limit is used up."}"#,
            "quota: -, unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":"Usage limit reached"}"#,
            "quota: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn quoted_sentence_in_a_client_error_is_not_a_quota() {
    check_responses(&[
        (
            400,
            "",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.0: text 'You have reached your specified API usage limits' is not valid here"}}"#,
            "client: -, unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"error":{"message":"Your request contains 'you have hit your usage limit', which is not allowed.","code":"invalid_request"}}"#,
            "client: -, unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"error":{"message":"Invalid value: 'model: gpt-4o'.","code":"invalid_value"}}"#,
            "client: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn unknown_model_version_or_file_is_missing() {
    check_responses(&[
        // OpenAI: https://platform.openai.com/docs/guides/error-codes
        (
            404,
            "",
            r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            "missing: -, unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"error":{"message":"Project `proj_1` does not have access to model `o3`","type":"invalid_request_error","code":"model_not_found"}}"#,
            "missing: -, unspecified/unknown",
        ),
        (
            401,
            "",
            r#"{"error":{"message":"OpenAI-Organization header should match organization for API key","type":"invalid_request_error","code":"mismatched_organization"}}"#,
            "missing: -, unspecified/unknown",
        ),
        // Azure OpenAI, for an API version that does not exist.
        (
            404,
            "",
            r#"{"error":{"code":"404","message":"Resource not found"}}"#,
            "missing: -, unspecified/unknown",
        ),
        // Anthropic: https://docs.anthropic.com/en/api/errors
        (
            404,
            "",
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#,
            "missing: -, unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Unexpected value(s) `files-api-2099-01-01` for the `anthropic-beta` header."}}"#,
            "missing: -, unspecified/unknown",
        ),
        // Gemini
        (
            404,
            "",
            r#"{"error":{"code":404,"message":"models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}"#,
            "missing: -, unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"error":{"code":403,"message":"You do not have permission to access the File abc or it may not exist.","status":"PERMISSION_DENIED"}}"#,
            "missing: -, unspecified/unknown",
        ),
        // Bedrock: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
        (
            403,
            "x-amzn-errortype: AccessDeniedException",
            r#"{"message":"You don't have access to the model with the specified model ID."}"#,
            "missing: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn invalid_keys_and_unknown_ids_are_not_missing() {
    check_responses(&[
        (
            401,
            "",
            r#"{"error":{"message":"Incorrect API key provided: sk-...","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            404,
            "",
            r#"{"error":{"message":"No such File object: file-1","type":"invalid_request_error","param":"id","code":null}}"#,
            "client: -, unspecified/unknown",
        ),
        (
            404,
            "",
            r#"{"error":{"message":"Response with id 'resp_1' not found.","type":"invalid_request_error","code":null}}"#,
            "client: -, unspecified/unknown",
        ),
    ]);
}
