use crate::check_responses;

#[test]
fn bedrock_exceptions_are_read() {
    check_responses(&[
        (
            429,
            "x-amzn-errortype: ThrottlingException",
            r#"{"message":"Too many requests, please wait before trying again."}"#,
            "throttled: -, requests/unknown",
        ),
        (
            429,
            "x-amzn-errortype: ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            r#"{"message":"Too many tokens, please wait before trying again."}"#,
            "throttled: -, tokens/unknown",
        ),
        (
            429,
            "x-amzn-errortype: ThrottlingException",
            r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
            "quota: -, tokens/day",
        ),
        (
            429,
            "x-amzn-errortype: ThrottlingException
             x-amz-retry-after: 1500
             x-amzn-requestid: 0f0f",
            "",
            "throttled: 1.5s by x-amz-retry-after (stated), unspecified/unknown, body?",
        ),
        // Other AWS services throttle with 400.
        (
            400,
            "x-amzn-errortype: com.amazon.coral.service#ThrottlingException",
            "",
            "throttled: -, unspecified/unknown, body?",
        ),
        (
            400,
            "",
            r#"{"__type":"com.amazon.coral.service#ThrottlingException","Message":"Rate exceeded"}"#,
            "throttled: -, unspecified/unknown",
        ),
        (
            400,
            "x-amzn-errortype: ServiceQuotaExceededException",
            "",
            "quota: -, unspecified/unknown",
        ),
        (
            503,
            "x-amzn-errortype: ServiceUnavailableException",
            r#"{"message":"Bedrock is unable to process your request."}"#,
            "capacity: -, unspecified/unknown",
        ),
        (
            429,
            "x-amzn-errortype: ModelNotReadyException",
            "",
            "capacity: -, unspecified/unknown, body?",
        ),
        (
            408,
            "x-amzn-errortype: ModelTimeoutException",
            "",
            "failing: -, unspecified/unknown",
        ),
        (
            424,
            "x-amzn-errortype: ModelErrorException",
            "",
            "failing: -, unspecified/unknown",
        ),
        (
            403,
            "x-amzn-errortype: AccessDeniedException",
            "",
            "credential: -, unspecified/unknown, body?",
        ),
        (
            400,
            "x-amzn-errortype: ValidationException",
            r#"{"message":"Input is too long for requested model."}"#,
            "too-large: -, unspecified/unknown",
        ),
        (529, "", "", "capacity: -, unspecified/unknown, body?"),
    ]);
}
