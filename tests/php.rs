//! Our signature beside PHP's own, over random maps: names that look like numbers, floats of every shape, repeated
//! names, escapes, and texts that are no JSON at all.
//!
//! Some thousands in every run; `GATEPASS_PHP_CASES=100000 cargo test --test php` takes more. Without `php` nothing
//! is compared, and the test says so.

mod common;

use std::{
    env,
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use common::root;
use gatepass_core::{
    verify::gtarcade::{SignKey, base, sign},
    wire::{
        json,
        php::{DEPTH_MAX, Php},
    },
};

const CASES: usize = 4_000;
const KEY: &str = "TEST-ONLY-signKey-0001";

/// Random numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }

    fn digits(&mut self, max: usize) -> String {
        (0..1 + self.below(max)).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }
}

/// A name, as it stands between quotation marks.
fn name(random: &mut Random) -> String {
    let word =
        ["account", "time", "game_id", "game_name", "type", "sign", "game_data", "a", "Z", "_", "key10"];
    match random.below(12) {
        0..=2 => random.pick(&word).into(),
        3 => random.digits(3),
        4 => format!(
            "{}{}",
            random.pick(&["-", "+", "0", "00", "-0", " ", "\\t", "\\u000b"]),
            random.digits(2)
        ),
        5 => format!(
            "{}{}",
            random.digits(2),
            random.pick(&[" ", "  ", "\\n", "a", ".", "e", "e+", "f", "\\u0000"])
        ),
        6 => format!("{}e{}", random.digits(1), random.pick(&["0", "1", "2", "+1", "-1", "400", "99", "1f"])),
        7 => format!("{}.{}{}", random.digits(1), random.digits(2), random.pick(&["", "", "0", "x", "e1"])),
        8 => {
            let sign = random.pick(&["", "-"]);
            let near = [
                "9223372036854775805",
                "9223372036854775806",
                "9223372036854775807",
                "9223372036854775808",
                "9223372036854775809",
                "09223372036854775808",
                "9223372036854775807 ",
                "9223372036854775808 ",
                "9223372036854775807.0",
                "99999999999999999999",
                "99999999999999999999.5",
                "100000000000000000000",
                "18446744073709551616",
                "9.2233720368547758e18",
            ];
            format!("{sign}{}", random.pick(&near))
        }
        9 => random
            .pick(&["", ".5", ".", "-", "0x1A", "1_000", "INF", "nan", "1e", "\\u0061", "\\u4e2d"])
            .into(),
        10 => random.pick(&["\u{4e2d}", "\u{e9}", "e\u{301}", "game-id", "gameId", "D & D", "a=b"]).into(),
        _ => format!("{}{}", random.pick(&["k", "m", "x"]), random.digits(3)),
    }
}

/// A number as JSON spells it.
fn number(random: &mut Random) -> String {
    let sign = random.pick(&["", "", "-"]);
    match random.below(9) {
        0 => format!("{sign}{}", random.next() % 1_000),
        1 => format!("{sign}{}", random.next()),
        2 => format!("{sign}{}.{}", random.next() % 1_000, random.digits(18)),
        3 => format!("{sign}{}.0", 100_000_000_000_000 + random.next() % 900_000_000_000_000),
        4 => format!("{sign}{}5.0", 10_000_000_000_000 + random.next() % 90_000_000_000_000),
        5 => format!("{sign}{}.{}e{}", random.below(10), random.digits(17), random.below(650) as i64 - 330),
        6 => format!(
            "{sign}{}E{}",
            random.below(100),
            random.pick(&["0", "+2", "-7", "14", "15", "-4", "-5", "19"])
        ),
        7 => format!("{:?}", f64::from_bits(random.next())).replace("inf", "1e400").replace("NaN", "-0"),
        _ => random
            .pick(&[
                "0",
                "-0",
                "-0.0",
                "9223372036854775808",
                "-9223372036854775808",
                "1e400",
                "1e-400",
                "0.0001",
            ])
            .into(),
    }
}

fn value(random: &mut Random) -> String {
    match random.below(12) {
        0..=5 => number(random),
        6 => random.pick(&["true", "false", "null"]).into(),
        7 => random.pick(&["[]", "{}", "[1,[2]]", "{\"a\":1.5}"]).into(),
        8 => format!("\"{}\"", name(random)),
        _ => format!(
            "\"{}\"",
            random.pick(&["", "u1&b=", "\\/\\ud83c\\udfae\\\\\\\"", "\u{1f3ae}", " x ", "1.50", "Array"])
        ),
    }
}

/// A line: an object, or something like it.
fn line(random: &mut Random) -> Vec<u8> {
    let members = match random.below(40) {
        0 => 1_100,
        1..=9 => 17 + random.below(60),
        _ => random.below(17),
    };
    let mut text = String::from(random.pick(&["{", "{", "{", " {\t", "\r{"]));
    for at in 0..members {
        let comma = if at == 0 { "" } else { "," };
        write!(text, "{comma}\"{}\"{}{}", name(random), random.pick(&[":", " : "]), value(random)).unwrap();
    }
    text.push('}');
    let mut bytes = text.into_bytes();
    if random.below(10) == 0 {
        // A byte that is another; no line may end in the middle.
        let at = random.below(bytes.len());
        bytes[at] = random.next() as u8;
        bytes.retain(|byte| *byte != b'\n');
    }
    bytes
}

/// What ours is of a line: the signature in hex, or `-`.
fn ours(line: &[u8], php: Php, key: &SignKey) -> String {
    let Ok(value) = json::read(line, DEPTH_MAX) else { return "-".into() };
    let Some(members) = value.object() else { return "-".into() };
    String::from_utf8_lossy(&sign(&base(members, php), key).expose()).into_owned()
}

#[test]
fn php_signs_the_same() {
    let cases = env::var("GATEPASS_PHP_CASES").map_or(CASES, |cases| cases.parse().expect("a number"));
    let script = root().join("tests/php/sign.php");
    let php = Command::new("php")
        .args(["-n", "-d", "precision=14", "-d", "memory_limit=256M"])
        .arg(script)
        .arg(KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut php) = php else {
        // Not by a macro: what those print, a test that passes keeps to itself.
        let said = b"SKIPPED: there is no `php` here, so our signature was NOT compared with PHP's own\n";
        std::io::stderr().write_all(said).expect("somebody may read it");
        return;
    };
    let mut random = Random(4);
    let lines: Vec<_> = (0..cases).map(|_| line(&mut random)).collect();
    let input = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect::<Vec<_>>();
    let mut stdin = php.stdin.take().expect("it is piped");
    let writer = thread::spawn(move || stdin.write_all(&input).expect("php reads"));
    let output = php.wait_with_output().expect("php ends");
    writer.join().expect("all is written");
    let output = String::from_utf8(output.stdout).expect("signatures are text");
    let mut answers = output.lines();
    let version: u32 = answers.next().and_then(|it| it.parse().ok()).expect("the version of php");
    let generation = match version {
        ..80_000 => Php::V7,
        80_000..80_200 => Php::V80,
        _ => Php::V82,
    };

    let key = SignKey::new(KEY);
    let answers: Vec<_> = answers.collect();
    assert_eq!(answers.len(), lines.len(), "an answer for each line");
    let refused = answers.iter().filter(|answer| **answer == "-").count();
    assert!(refused > cases / 50 && refused < cases / 5, "{refused} of {cases} are no JSON");
    let differ: Vec<_> = lines
        .iter()
        .zip(&answers)
        .filter(|(line, theirs)| ours(line, generation, &key) != **theirs)
        .map(|(line, _)| String::from_utf8_lossy(line))
        .collect();
    assert!(
        differ.is_empty(),
        "{} of {cases} differ, such as {:?}",
        differ.len(),
        differ.iter().min_by_key(|it| it.len())
    );
    println!("{cases} maps, {} of them JSON: PHP {version} signs all as we do", cases - refused);
}
