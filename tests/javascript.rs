//! The signature of gamecloud, computed by JavaScript itself over random objects, against ours.
//!
//! Thousands with every run of the tests; `GATEPASS_JAVASCRIPT_CASES=100000` asks for more.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use gatepass_core::{
    verify::gamecloud::sign::sign,
    wire::json::{self, Quoted},
};

/// Reads objects, one a line; writes the MD5 of names and values in the order of the names, and of a secret, or an
/// empty line for what has no text.
const SCRIPT: &str = r"
const { createHash } = require('crypto');
const lines = require('fs').readFileSync(0, 'utf8').split('\n');
lines.pop();
const digests = lines.map((line) => {
  const object = JSON.parse(line);
  try {
    const names = Object.keys(object).sort().filter((name) => name !== 'sign');
    const text = names.map((name) => name + object[name]).join('');
    return createHash('md5').update(text + 'secret').digest('hex');
  } catch (error) {
    return '';
  }
});
process.stdout.write(digests.join('\n') + '\n');
";

const CASES: u64 = 5_000;

/// splitmix64: the same cases with every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }

    fn object(&mut self, depth: u32) -> String {
        let members: Vec<_> = (0..self.below(6))
            .map(|_| {
                let name = self.text();
                format!("{}:{}", Quoted(&name), self.value(depth))
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn value(&mut self, depth: u32) -> String {
        match self.below(if depth == 0 { 8 } else { 11 }) {
            0 => self.pick(&["null", "true", "false"]).to_owned(),
            1 | 2 => Quoted(&self.text()).to_string(),
            3 => self.integer(),
            4..=6 => self.number(),
            7 => self.pick(&["-0", "0.0", "1e400", "-1e999", "5e-324", "1e-400", "1e21", "1e20"]).to_owned(),
            8 | 9 => {
                let items: Vec<_> = (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => self.object(depth - 1),
        }
    }

    fn integer(&mut self) -> String {
        let digits = 1 + self.below(25);
        let mut text = if self.below(3) == 0 { String::from("-") } else { String::new() };
        text.push(char::from(b'1' + self.below(9) as u8));
        (1..digits).for_each(|_| text.push(char::from(b'0' + self.below(10) as u8)));
        text
    }

    /// Any double, or decimals near the places where the form of a number changes.
    fn number(&mut self) -> String {
        let double = f64::from_bits(self.next());
        if self.below(2) == 0 && double.is_finite() {
            return format!("{double:e}");
        }
        let mut text = self.integer();
        if self.below(2) == 0 {
            let _ = write!(text, ".{}", self.next() >> self.below(60));
        }
        if self.below(2) == 0 {
            let sign = self.pick(&["", "+", "-"]);
            let _ = write!(text, "{}{sign}{}", self.pick(&["e", "E"]), self.below(40));
        }
        text
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 22] = [
            "t",
            "a",
            "B",
            "10",
            "9",
            "sign",
            "Sign",
            "_",
            " ",
            "\u{0}",
            "\n",
            "\"",
            "\\",
            "\u{e9}",
            "e\u{301}",
            "\u{FF21}",
            "\u{1F600}",
            "\u{10000}",
            "\u{ffff}",
            "\u{2028}",
            "toString",
            "__proto__",
        ];
        (0..self.below(4)).map(|_| self.pick(&PIECES)).collect()
    }
}

#[test]
fn javascript_signs_as_we_do() {
    let cases = match std::env::var("GATEPASS_JAVASCRIPT_CASES") {
        Ok(cases) => cases.parse().expect("GATEPASS_JAVASCRIPT_CASES is a number"),
        Err(_) => CASES,
    };
    let node = Command::new("node").args(["-e", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut node) = node else {
        // Not by a macro: what those print, a test that passes keeps to itself.
        let said = b"SKIPPED: there is no `node` here, so our signature was NOT compared with JavaScript's\n";
        std::io::stderr().write_all(said).expect("somebody may read it");
        return;
    };
    let mut numbers = Numbers(1);
    let objects: Vec<_> = (0..cases).map(|_| numbers.object(3)).collect();
    let mut stdin = node.stdin.take().expect("a pipe");
    let text = objects.iter().fold(String::new(), |text, object| text + object + "\n");
    let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = node.wait_with_output().expect("node ends");
    writer.join().expect("no panic").expect("node reads everything");
    assert!(output.status.success());
    let theirs = String::from_utf8(output.stdout).expect("text");
    let theirs: Vec<&str> = theirs.lines().collect();
    assert_eq!(theirs.len(), objects.len());
    for (object, theirs) in objects.iter().zip(theirs) {
        let value = json::read(object.as_bytes(), 16).expect("JSON");
        let ours = sign(value.object().expect("an object"), "secret");
        let ours = ours.map(|signature| signature.text()).unwrap_or_default();
        assert_eq!(ours, theirs, "{object}");
    }
    eprintln!("{cases} objects have the signatures that JavaScript gives them");
}
