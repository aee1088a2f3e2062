use super::*;

async fn upstream_of(provider: Provider) -> (MockUpstream, Caller) {
    let upstream = MockUpstream::builder().provider(provider).api_key("k");
    let upstream = upstream.start().await.unwrap();
    let caller = Caller::new(&upstream);
    (upstream, caller)
}

async fn post(caller: &Caller, path: &str, key: (&str, &str), body: Value) -> Answer {
    let request = Request::post(format!("{}{path}", caller.base)).header(key.0, key.1);
    let request = request.body(Full::new(body.to_string().into())).unwrap();
    answer(caller.http.request(request).await.unwrap()).await
}

#[tokio::test]
async fn azure_upstream_serves_azure_paths_and_errors() {
    let (_upstream, azure) = upstream_of(Provider::Azure).await;
    let key = ("api-key", "k");
    let v1 = "/openai/v1/chat/completions";
    assert_eq!(post(&azure, v1, key, hello()).await.status, 200);
    let dated = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
    let without_model = json!({"messages": []});
    assert_eq!(
        post(&azure, dated, key, without_model.clone()).await.status,
        200
    );
    assert_eq!(post(&azure, v1, key, without_model).await.status, 400);

    let other = post(&azure, "/v1/chat/completions", key, hello()).await;
    assert_eq!(other.status, 404);
    assert_eq!(
        other.json(),
        json!({"error": {"code": "404", "message": "Resource not found"}})
    );
}

#[tokio::test]
async fn openai_upstream_serves_openai_paths_and_accepts_bearer_tokens_only() {
    let (_upstream, openai) = upstream_of(Provider::OpenAi).await;
    let key = ("authorization", "Bearer k");
    let v1 = "/v1/chat/completions";
    assert_eq!(post(&openai, v1, key, hello()).await.status, 200);
    let refused = post(&openai, v1, ("api-key", "k"), hello()).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error"]["code"], "invalid_api_key");

    let other = post(&openai, "/openai/v1/chat/completions", key, hello()).await;
    assert_eq!(other.status, 404);
    assert_eq!(
        other.json()["error"]["message"],
        "Invalid URL (POST /openai/v1/chat/completions)"
    );
}
