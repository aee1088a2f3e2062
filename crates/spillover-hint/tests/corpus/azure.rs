//! Azure OpenAI: pay-as-you-go, provisioned throughput, and API Management in front.

use crate::check_responses;

#[test]
fn pay_as_you_go_limits_are_read() {
    check_responses(&[
        // A captured response at a token limit.
        (
            429,
            "retry-after: 1
             retry-after-ms: 0
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 0
             x-ratelimit-renewalperiod-tokens: 60
             x-ratelimit-type: Tokens",
            "",
            "throttled: 1s by retry-after (not-zero), tokens/minute",
        ),
        (
            429,
            "retry-after: 1
             retry-after-ms: 0
             x-ratelimit-remaining-tokens: 0
             x-ratelimit-reset-tokens: 43
             x-ratelimit-renewalperiod-tokens: 60
             x-ratelimit-type: Tokens
             x-ratelimit-abusepenalty-active: False
             x-ratelimit-key: a-key
             policy-id: DeploymentRatelimit-Token",
            "",
            "throttled: 43s by x-ratelimit-reset (known-lie), tokens/minute",
        ),
        (
            429,
            "x-ratelimit-reset-requests: 10
             x-ratelimit-remaining-requests: 0
             x-ratelimit-renewalperiod-requests: 10",
            "",
            "throttled: 10s by x-ratelimit-reset (exhausted), requests/second",
        ),
        // The policy names the dimension. The reset has the spelling with one more hyphen.
        (
            429,
            "x-rate-limit-reset-tokens: 55
             policy-id: DeploymentRatelimit-Token
             x-ratelimit-remaining-requests: 79",
            "",
            "throttled: 55s by x-rate-limit-reset (exhausted), tokens/unknown",
        ),
        (
            429,
            "retry-after: 26
             x-ratelimit-limit-tokens: -1
             x-ratelimit-remaining-tokens: -1
             x-ratelimit-reset-tokens: 0",
            "",
            "throttled: 26s by retry-after (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "retry-after: 86400",
            "",
            "throttled: 86400s by retry-after (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "retry-after: 45
             ms-azureml-model-error-reason: model_error
             x-ms-throttle-scope: deployment",
            "",
            "throttled: 45s by retry-after (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "x-ms-retry-after-ms: 2000",
            "",
            "throttled: 2s by x-ms-retry-after-ms (stated), unspecified/unknown, body?",
        ),
    ]);
}

#[test]
fn provisioned_throughput_limits_are_read() {
    check_responses(&[
        (
            429,
            "retry-after-ms: 850
             retry-after: 1
             azure-openai-deployment-utilization: 104.2%",
            "",
            "throttled: 850ms by retry-after-ms (stated), unspecified/unknown",
        ),
        // The utilization is below 100.
        (
            429,
            "retry-after-ms: 2000
             retry-after: 2
             azure-openai-deployment-utilization: 89.3%",
            "",
            "throttled: 2s by retry-after-ms (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "retry-after-ms: 2000
             azure-openai-deployment-utilization: ",
            "",
            "throttled: 2s by retry-after-ms (stated), unspecified/unknown, body?",
        ),
        (
            429,
            "x-ms-throttle-reason: ModelCapacityExceeded
             retry-after: 5",
            "",
            "capacity: 5s by retry-after (stated), unspecified/unknown",
        ),
        (
            429,
            "retry-after: 5",
            r#"{"error":{"code":"429","message":"The system is currently experiencing high demand and cannot process your request. Your request exceeds the maximum usage size allowed during peak load."}}"#,
            "capacity: 5s by retry-after (stated), unspecified/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":"NoCapacity","message":"The system is busy."}}"#,
            "capacity: -, unspecified/unknown",
        ),
        (408, "", "", "failing: -, unspecified/unknown"),
        (424, "", "", "failing: -, unspecified/unknown"),
        (499, "", "", "failing: -, unspecified/unknown"),
        (
            400,
            "",
            r#"{"error":{"code":"context_length_exceeded","message":"Too long for this deployment."}}"#,
            "too-large: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn azure_bodies_are_read() {
    check_responses(&[
        (
            429,
            "",
            r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 26 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."}}"#,
            "throttled: 26s by prose (last-resort), tokens/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second."}}"#,
            "throttled: 1s by prose (last-resort), requests/unknown",
        ),
        (
            429,
            "retry-after-ms: 0",
            r#"{"error":{"code":"RateLimitReached","message":"Your requests to gpt-4.1-nano for gpt-4.1-nano in Sweden Central have exceeded the token rate limit for your current AIServices S0 pricing tier. This request was for ChatCompletions_Create under Azure OpenAI API version 2025-01-01. Please retry after 45 seconds."}}"#,
            "throttled: 45s by prose (not-zero), tokens/unknown",
        ),
        (
            429,
            "",
            r#"{"error":{"code":"TooManyRequests","message":"Too many requests"}}"#,
            "throttled: -, unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"error":{"code":"403","message":"Your resource has been temporarily blocked because we detected behavior that may violate our content policy."}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            401,
            "",
            r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#,
            "credential: -, unspecified/unknown",
        ),
        (
            404,
            "",
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            "missing: -, unspecified/unknown",
        ),
        (
            400,
            "",
            r#"{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            "client: -, unspecified/unknown",
        ),
    ]);
}

#[test]
fn api_management_limits_are_read() {
    check_responses(&[
        (
            429,
            "",
            r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 12 seconds."}"#,
            "throttled: 12s by prose (last-resort), unspecified/unknown",
        ),
        (
            403,
            "",
            r#"{"statusCode":403,"message":"Out of call volume quota. Quota will be replenished in 01:23:45."}"#,
            "quota: 5025s by prose (last-resort), requests/unknown",
        ),
        (
            403,
            "retry-after: 5025",
            r#"{"statusCode":403,"message":"Out of call volume quota. Quota will be replenished in 01:23:45."}"#,
            "quota: 5025s by retry-after (stated), requests/unknown",
        ),
        (503, "", "", "capacity: -, unspecified/unknown, body?"),
        (
            429,
            "x-ms-spillover-from-gpt-4o: gpt-4o
             x-ms-spillover-error: 429",
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
    ]);
}
