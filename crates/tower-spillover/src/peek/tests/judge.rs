//! Verdicts on events in the formats that vendors send.

use super::{event, exception, message};
use crate::peek::{
    event::{Event, Reader},
    form::Form,
    judge::Verdict,
};

/// Returns `-` for a lifecycle event, `content`, or the kind of the refusal and its status.
fn verdict(event: &Event<'_>) -> String {
    match Verdict::of(event) {
        Verdict::Lifecycle => "-".to_owned(),
        Verdict::Content => "content".to_owned(),
        Verdict::Error(report) => format!("{} {}", report.refusal(), report.status().as_u16()),
    }
}

#[track_caller]
fn check_sse(name: &str, data: &str, expected: &str) {
    let text = format!("event: {name}\ndata: {data}\n\n");
    let found = Reader::new(Form::Sse, None)
        .read(text.as_bytes(), |event| Some(verdict(&event)))
        .expect("no coding");
    assert_eq!(found.as_deref(), Some(expected), "{name} {data}");
}

#[test]
fn anthropic_events_are_judged() {
    let table = [
        (
            "message_start",
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            "-",
        ),
        ("ping", r#"{"type": "ping"}"#, "-"),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            "-",
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            "-",
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":[]}}"#,
            "-",
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}"#,
            "content",
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}"#,
            "content",
        ),
        (
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":""}}"#,
            "content",
        ),
        ("content_block_start", "{", "content"),
        (
            "content_block_delta",
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
            "content",
        ),
        (
            "content_block_stop",
            r#"{"type":"content_block_stop","index":0}"#,
            "content",
        ),
        (
            "message_delta",
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            "content",
        ),
        ("message_stop", r#"{"type":"message_stop"}"#, "content"),
        (
            "error",
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "capacity 529",
        ),
        (
            "error",
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#,
            "throttled 429",
        ),
        (
            "error",
            r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
            "failing 500",
        ),
        (
            "error",
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"x"}}"#,
            "client 400",
        ),
        // Events without names, which some proxies drop.
        ("", r#"{"type":"message_start","message":{}}"#, "-"),
        ("", r#"{"type":"ping"}"#, "-"),
        (
            "",
            r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#,
            "-",
        ),
        (
            "",
            r#"{"type":"content_block_delta","delta":{}}"#,
            "content",
        ),
        (
            "",
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            "capacity 529",
        ),
    ];
    for (name, data, expected) in table {
        check_sse(name, data, expected);
    }
}

#[test]
fn openai_response_events_are_judged() {
    let table = [
        (
            "response.created",
            r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","error":null,"output":[]}}"#,
            "-",
        ),
        (
            "response.queued",
            r#"{"type":"response.queued","response":{"status":"queued"}}"#,
            "-",
        ),
        (
            "response.in_progress",
            r#"{"type":"response.in_progress","response":{"error":null}}"#,
            "-",
        ),
        (
            "response.output_item.added",
            r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
            "content",
        ),
        (
            "response.output_text.delta",
            r#"{"type":"response.output_text.delta","delta":"Hi"}"#,
            "content",
        ),
        ("response.output_text.created", "{}", "content"),
        (
            "response.completed",
            r#"{"type":"response.completed","response":{"error":null}}"#,
            "content",
        ),
        (
            "response.incomplete",
            r#"{"type":"response.incomplete","response":{"error":null}}"#,
            "content",
        ),
        (
            "response.failed",
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"Please try again in 84ms."}}}"#,
            "throttled 429",
        ),
        (
            "response.failed",
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"x"}}}"#,
            "failing 500",
        ),
        (
            "error",
            r#"{"type":"error","code":"rate_limit_exceeded","message":"Rate limit reached","param":null,"sequence_number":1}"#,
            "throttled 429",
        ),
        (
            "error",
            r#"{"type":"error","code":"ERR_SOMETHING","message":"Something went wrong","param":null,"sequence_number":1}"#,
            "failing 500",
        ),
        (
            "",
            r#"{"type":"response.created","response":{"error":null}}"#,
            "-",
        ),
        (
            "",
            r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
            "failing 500",
        ),
    ];
    for (name, data, expected) in table {
        check_sse(name, data, expected);
    }
}

#[test]
fn openai_assistant_events_are_judged() {
    let table = [
        ("thread.created", "-"),
        ("thread.run.created", "-"),
        ("thread.run.queued", "-"),
        ("thread.run.in_progress", "-"),
        ("thread.run.step.created", "-"),
        ("thread.run.step.in_progress", "-"),
        ("thread.message.created", "-"),
        ("thread.message.in_progress", "-"),
        ("thread.message.delta", "content"),
        ("thread.run.requires_action", "content"),
        ("thread.run.completed", "content"),
        ("thread.created.x", "content"),
        ("created", "content"),
    ];
    for (name, expected) in table {
        check_sse(name, r#"{"id":"run_1","object":"thread.run"}"#, expected);
    }
}

#[test]
fn chat_completion_chunks_are_judged() {
    let table = [
        // The first chunk of Azure OpenAI.
        (
            r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#,
            "-",
        ),
        (
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x"}"#,
            "-",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"role":"assistant"},"content_filter_results":{},"finish_reason":null}]}"#,
            "-",
        ),
        (
            r#"{"choices":[{"content_filter_offsets":{"check_offset":44},"content_filter_results":{"hate":{"filtered":false}},"finish_reason":null,"index":0}]}"#,
            "-",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":null}},{"index":1,"delta":{"tool_calls":[]}}]}"#,
            "-",
        ),
        (r#"{"choices":[{"index":0,"delta":null}]}"#, "-"),
        (
            r#"{"choices":[{"index":0,"text":"","logprobs":null,"finish_reason":null}]}"#,
            "-",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":"Hi"}}]}"#,
            "content",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":" "}}]}"#,
            "content",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"content":""}},{"index":1,"delta":{"content":"x"}}]}"#,
            "content",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}"#,
            "content",
        ),
        (
            r#"{"choices":[{"index":0,"delta":{"reasoning_content":"Let me"}}]}"#,
            "content",
        ),
        (r#"{"choices":[{"index":0,"text":"Hi"}]}"#, "content"),
        (
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            "content",
        ),
        (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, "content"),
        (r#"{"choices":["x"]}"#, "content"),
        (r#"{"choices":{}}"#, "content"),
        ("[DONE]", "content"),
        ("Hello", "content"),
        ("[]", "content"),
        ("{}", "content"),
        ("null", "content"),
        // Chunks of Gemini.
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}]}"#,
            "content",
        ),
        // A quoted error is content.
        (
            r#"{"choices":[{"delta":{"content":"{\"error\":{\"code\":\"rate_limit_exceeded\"}}"}}]}"#,
            "content",
        ),
        (
            r#"{"error":null,"choices":[{"delta":{"content":"x"}}]}"#,
            "content",
        ),
        (r#"{"error":null,"choices":[{"delta":{}}]}"#, "-"),
        // Errors of Azure OpenAI, Gemini and OpenRouter.
        (
            r#"{"error":{"code":"429","message":"Please retry after 26 seconds."}}"#,
            "throttled 429",
        ),
        (
            r#"{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}"#,
            "failing 500",
        ),
        (
            r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
            "capacity 503",
        ),
        (
            r#"[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}]"#,
            "throttled 429",
        ),
        (
            r#"{"id":"gen-1","object":"chat.completion.chunk","error":{"code":502,"message":"Provider disconnected"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            "failing 502",
        ),
    ];
    for (data, expected) in table {
        check_sse("", data, expected);
        check_sse("message", data, expected);
    }
}

#[test]
fn cohere_and_unknown_events_are_judged() {
    let table = [
        (
            "message-start",
            r#"{"type":"message-start","id":"1","delta":{"message":{"role":"assistant","content":[]}}}"#,
            "-",
        ),
        (
            "content-start",
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#,
            "-",
        ),
        (
            "content-start",
            r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":"x"}}}}"#,
            "content",
        ),
        ("content-delta", "{}", "content"),
        ("", "", "-"),
        ("ping", "", "-"),
        ("what", "", "-"),
        ("what", r#"{"choices":[]}"#, "content"),
        ("pings", "{}", "content"),
        ("error", "Sorry, please retry in 5s", "failing 500"),
        ("error", "{", "failing 500"),
        // An error of MCP.
        (
            "message",
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#,
            "content",
        ),
        (
            "message",
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool"}}"#,
            "content",
        ),
    ];
    for (name, data, expected) in table {
        check_sse(name, data, expected);
    }
}

#[test]
fn comments_are_not_content() {
    let text = b": OPENROUTER PROCESSING\n\n:\n\nid: 1\n\nretry: 3000\n\nevent: error\n\n";
    let found = Reader::new(Form::Sse, None)
        .read(text, |event| Some(verdict(&event)))
        .expect("no coding");
    assert_eq!(found, None);
}

#[test]
fn bedrock_messages_are_judged() {
    let error = message(
        &[
            (":message-type", "error"),
            (":error-code", "ThrottlingException"),
            (":error-message", "Rate exceeded"),
        ],
        b"",
    );
    // The payloads begin with `{"type":"message_start","message":` and `{"type":"content_block_delta","index":`.
    let start = r#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdGFydCIsIm1lc3NhZ2UiOnt9fQ==","p":"abcd"}"#;
    let delta =
        r#"{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowfQ==","p":"abcd"}"#;
    let table = [
        (event("initial-response", "{}"), "-"),
        (event("messageStart", r#"{"role":"assistant"}"#), "-"),
        (event("chunk", start), "-"),
        (event("chunk", delta), "content"),
        (event("contentBlockStart", "{}"), "content"),
        (
            event("contentBlockDelta", r#"{"delta":{"text":"Hi"}}"#),
            "content",
        ),
        (event("throttlingException", "{}"), "content"),
        (event("", ""), "content"),
        (message(&[], b"{}"), "content"),
        (b"no event stream".to_vec(), "content"),
        (
            exception(
                "throttlingException",
                r#"{"message":"Too many tokens, please wait before trying again."}"#,
            ),
            "throttled 429",
        ),
        (
            exception("serviceUnavailableException", r#"{"message":"Busy."}"#),
            "capacity 503",
        ),
        (
            exception("internalServerException", r#"{"message":"Sorry."}"#),
            "failing 500",
        ),
        (
            exception(
                "modelStreamErrorException",
                r#"{"message":"Broken.","originalStatusCode":424}"#,
            ),
            "failing 424",
        ),
        (exception("modelTimeoutException", "{}"), "failing 408"),
        (
            exception("validationException", r#"{"message":"Bad."}"#),
            "client 400",
        ),
        (exception("messageStart", "{}"), "failing 500"),
        (error, "throttled 429"),
    ];
    for (message, expected) in table {
        let found = Reader::new(Form::EventStream, None)
            .read(&message, |event| Some(verdict(&event)))
            .expect("no coding");
        assert_eq!(
            found.as_deref(),
            Some(expected),
            "{}",
            message.escape_ascii()
        );
    }
}
