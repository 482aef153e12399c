//! Every target: the body that is called as the program is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let body = gatepass_fuzz::body(env!("CARGO_BIN_NAME"));
    body.expect("a target has a body")(data);
});
