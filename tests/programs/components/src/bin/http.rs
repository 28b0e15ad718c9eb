//! HTTP without a network: messages can be made and read, and none is sent.

use component_programs::StreamError;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, HeaderError, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
    RequestOptions, Scheme, http_error_code,
};

fn main() {
    fields();
    requests();
    responses();
    println!("done");
}

fn entry(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_owned())
}

/// The name of an error of headers.
fn code(result: Result<(), HeaderError>) -> &'static str {
    match result {
        Ok(()) => "ok",
        Err(HeaderError::InvalidSyntax) => "syntax",
        Err(HeaderError::Forbidden) => "forbidden",
        Err(HeaderError::Immutable) => "immutable",
    }
}

fn fields() {
    let fields = Fields::new();
    assert!(fields.entries().is_empty() && !fields.has("a") && fields.get("a").is_empty());
    assert_eq!(code(fields.append("Accept", b"text/html")), "ok");
    assert_eq!(code(fields.append("accept", b"\xff")), "ok");
    assert_eq!(code(fields.set("x-y", &[b"1".to_vec(), b"2".to_vec()])), "ok");
    assert!(fields.has("ACCEPT") && !fields.has("x"));
    assert_eq!(fields.get("aCCept"), [b"text/html".to_vec(), b"\xff".to_vec()]);
    for name in ["", "a b", "a:b", "é", "a\n"] {
        assert_eq!(code(fields.append(name, b"1")), "syntax");
        assert_eq!(code(fields.delete(name)), "syntax");
        assert!(!fields.has(name) && fields.get(name).is_empty());
    }
    for value in [&b"a\nb"[..], b"\0", b"\r", b"\x7f"] {
        assert_eq!(code(fields.append("a", value)), "syntax");
        assert_eq!(code(fields.set("accept", &[value.to_vec()])), "syntax");
    }
    for name in ["Host", "connection", "Transfer-Encoding", "upgrade", "keep-alive"] {
        assert_eq!(code(fields.append(name, b"1")), "forbidden");
        assert!(Fields::from_list(&[entry(name, b"1")]).is_err());
    }
    let clone = fields.clone();
    assert_eq!(code(fields.delete("accept")), "ok");
    assert_eq!(code(fields.delete("accept")), "ok");
    assert_eq!(fields.entries(), [entry("x-y", b"1"), entry("x-y", b"2")]);
    assert_eq!(clone.entries().len(), 4);
    let listed = Fields::from_list(&[entry("A", b"1"), entry("b", b"\t")]).unwrap();
    assert_eq!(listed.entries(), [entry("a", b"1"), entry("b", b"\t")]);
}

fn requests() {
    let headers = Fields::from_list(&[entry("a", b"1")]).unwrap();
    let request = OutgoingRequest::new(headers);
    let headers = request.headers();
    assert_eq!(headers.entries(), [entry("a", b"1")]);
    assert_eq!(code(headers.append("b", b"1")), "immutable");
    assert_eq!(code(headers.set("b", &[])), "immutable");
    assert_eq!(code(headers.delete("a")), "immutable");
    assert_eq!(code(headers.clone().delete("a")), "ok");

    assert!(matches!(request.method(), Method::Get));
    request.set_method(&Method::Other("LIST".to_owned())).unwrap();
    assert!(matches!(request.method(), Method::Other(method) if method == "LIST"));
    assert!(request.set_method(&Method::Other("NOT ONE".to_owned())).is_err());
    assert!(request.scheme().is_none() && request.authority().is_none());
    request.set_scheme(Some(&Scheme::Https)).unwrap();
    assert!(matches!(request.scheme(), Some(Scheme::Https)));
    assert!(request.set_scheme(Some(&Scheme::Other("a\nb".to_owned()))).is_err());
    for authority in ["example.com", "example.com:80", "[::1]:443", "user@example.com"] {
        request.set_authority(Some(authority)).unwrap();
        assert_eq!(request.authority().as_deref(), Some(authority));
    }
    assert!(request.set_authority(Some("a b")).is_err());
    request.set_path_with_query(Some("/a?b=c")).unwrap();
    assert!(request.set_path_with_query(Some("/a\nb")).is_err());
    assert_eq!(request.path_with_query().as_deref(), Some("/a?b=c"));
    request.set_path_with_query(None).unwrap();
    assert_eq!(request.path_with_query(), None);

    let body = request.body().unwrap();
    assert!(request.body().is_err());
    let stream = body.write().unwrap();
    assert!(body.write().is_err());
    stream.blocking_write_and_flush(b"text").unwrap();
    stream.subscribe().block();
    drop(stream);
    OutgoingBody::finish(body, Some(Fields::new())).unwrap();

    let options = RequestOptions::new();
    assert_eq!(options.connect_timeout(), None);
    options.set_connect_timeout(Some(1)).unwrap();
    options.set_first_byte_timeout(Some(2)).unwrap();
    options.set_between_bytes_timeout(Some(u64::MAX)).unwrap();
    options.set_first_byte_timeout(None).unwrap();
    assert_eq!(options.connect_timeout(), Some(1));
    assert_eq!(options.first_byte_timeout(), None);
    assert_eq!(options.between_bytes_timeout(), Some(u64::MAX));

    for options in [Some(options), None] {
        let sent = handle(OutgoingRequest::new(Fields::new()), options);
        assert!(matches!(sent, Err(ErrorCode::HttpRequestDenied)));
    }
    assert!(matches!(handle(request, None), Err(ErrorCode::HttpRequestDenied)));
    drop(headers);
    // They are gone, and not kept by the host: more than a program may hold at a time.
    for _ in 0..70_000 {
        let sent = handle(OutgoingRequest::new(Fields::new()), Some(RequestOptions::new()));
        assert!(sent.is_err());
    }
}

fn responses() {
    let response = OutgoingResponse::new(Fields::new());
    assert_eq!(response.status_code(), 200);
    response.set_status_code(404).unwrap();
    assert!(response.set_status_code(99).is_err() && response.set_status_code(1000).is_err());
    assert_eq!(response.status_code(), 404);
    assert!(response.headers().entries().is_empty());
    let body = response.body().unwrap();
    assert!(response.body().is_err());
    body.write().unwrap().write(b"text").unwrap();
    OutgoingBody::finish(body, None).unwrap();

    // A stream's error is none of HTTP's.
    let file = component_programs::create("file", b"");
    let failed = file.write_via_stream(u64::MAX).unwrap().blocking_write_and_flush(b"x");
    let Err(StreamError::LastOperationFailed(error)) = failed else { panic!("{failed:?}") };
    assert!(http_error_code(&error).is_none());
}
