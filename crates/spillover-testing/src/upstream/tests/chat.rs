use super::*;

#[tokio::test]
async fn completion_has_the_fields_that_sdks_parse() {
    let upstream = MockUpstream::builder()
        .reply("one two")
        .start()
        .await
        .unwrap();
    let answer = Caller::new(&upstream).chat(hello()).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let body = answer.json();
    assert_eq!(body["object"], "chat.completion");
    assert_eq!(body["model"], "gpt");
    assert!(body["id"].is_string() && body["created"].is_u64());
    let choice = &body["choices"][0];
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": "one two"})
    );
    assert_eq!(
        (&choice["index"], &choice["finish_reason"]),
        (&json!(0), &json!("stop"))
    );
    assert_eq!(
        body["usage"],
        json!({"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4})
    );
}

#[tokio::test]
async fn max_tokens_cuts_the_reply() {
    let upstream = MockUpstream::builder()
        .reply("one two")
        .start()
        .await
        .unwrap();
    let mut request = hello();
    request["max_completion_tokens"] = json!(1);
    let choice = &Caller::new(&upstream).chat(request).await.json()["choices"][0];
    assert_eq!(choice["message"]["content"], "one ");
    assert_eq!(choice["finish_reason"], "length");
}

#[tokio::test]
async fn tokens_of_content_parts_are_counted() {
    let upstream = upstream().await;
    let parts = json!([{"type": "text", "text": "12345678"}, {"type": "image_url"}]);
    let request = json!({"messages": [{"role": "user", "content": parts}]});
    let body = Caller::new(&upstream).chat(request).await.json();
    assert_eq!(body["usage"]["prompt_tokens"], 2);
}

#[tokio::test]
async fn stream_has_the_events_that_sdks_parse() {
    let upstream = MockUpstream::builder()
        .reply("one two")
        .start()
        .await
        .unwrap();
    for caller in [Caller::new(&upstream), Caller::http2(&upstream)] {
        let mut request = hello();
        request["stream"] = json!(true);
        request["stream_options"] = json!({"include_usage": true});
        let answer = caller.chat(request).await;

        assert_eq!(answer.headers["content-type"], "text/event-stream");
        let text = std::str::from_utf8(&answer.body).unwrap();
        let events: Vec<_> = text.split_terminator("\n\n").collect();
        assert!(text.ends_with("data: [DONE]\n\n"));
        let chunks: Vec<Value> = events[..events.len() - 1]
            .iter()
            .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
            .collect();
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk["object"] == "chat.completion.chunk")
        );
        let delta = |n: usize| &chunks[n]["choices"][0]["delta"];
        assert_eq!(delta(0)["role"], "assistant");
        assert_eq!(
            (&delta(1)["content"], &delta(2)["content"]),
            (&json!("one "), &json!("two"))
        );
        assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
        assert_eq!(chunks[4]["choices"], json!([]));
        assert_eq!(chunks[4]["usage"]["total_tokens"], 4);
    }
    assert_eq!(upstream.handle().stats().cancelled, 0);
}

#[tokio::test]
async fn azure_path_and_models_are_served() {
    let upstream = upstream().await;
    let caller = Caller::new(&upstream);
    let path = "/openai/deployments/gpt-4o/chat/completions?api-version=2024-06-01";
    assert_eq!(caller.post(path, hello().to_string()).await.status, 200);

    let uri = format!("{}/v1/models", upstream.url()).parse().unwrap();
    let models = answer(caller.http.get(uri).await.unwrap()).await.json();
    assert_eq!(models["object"], "list");
    assert_eq!(models["data"][0]["object"], "model");

    let unknown = caller.post("/v1/elsewhere", "").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "404");
}

#[tokio::test]
async fn invalid_chat_body_gets_400() {
    let upstream = upstream().await;
    let caller = Caller::new(&upstream);
    for body in ["", "{", "[]", r#"{"messages": 1}"#] {
        assert_eq!(caller.post("/v1/chat/completions", body).await.status, 400);
    }
    assert_eq!(upstream.handle().stats().failed, 4);
}

#[tokio::test]
async fn missing_api_key_gets_401() {
    let upstream = MockUpstream::builder().api_key("k").start().await.unwrap();
    let caller = Caller::new(&upstream);
    let call = async |name: &str, value: &str| {
        let request = Request::post(format!("{}/v1/chat/completions", upstream.url()))
            .header(name, value)
            .body(Full::from(hello().to_string()))
            .unwrap();
        answer(caller.http.request(request).await.unwrap()).await
    };
    assert_eq!(call("api-key", "k").await.status, 200);
    assert_eq!(call("authorization", "Bearer k").await.status, 200);
    assert_eq!(call("authorization", "Bearer other").await.status, 401);
    let refused = call("x-none", "k").await;
    assert_eq!(refused.status, 401);
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "401");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("Access denied")
    );
}
