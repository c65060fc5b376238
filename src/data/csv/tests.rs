//! Tests of reading and writing: kinds, quotes, faults, any cut into pieces, and text that nobody would write.

use super::super::column::{Column, Real, Time};
use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Frame {
    Frame::from_csv(text).unwrap()
}

fn refused(text: &str) -> String {
    Frame::from_csv(text).unwrap_err().to_string()
}

fn kinds(frame: &Frame) -> Vec<&'static str> {
    frame.iter().map(|(_, c)| c.kind()).collect()
}

#[test]
fn kinds_are_inferred_over_the_whole_column() {
    let f = read(
        "real,flag,blank_flag,day,id,text,mixed,none\n\
         1, TRUE,true,2024-05-01,9007199254740993,a,1,\n\
         NA,false,,2024-05-01T12:30:00Z,1,\"NA\",x,.\n\
         -2.5e3 ,False,FALSE,,2,,3,NA\n",
    );
    assert_eq!(
        kinds(&f),
        [
            "real", "flag", "real", "time", "label", "label", "label", "real"
        ]
    );
    assert_eq!(f.real("real").unwrap()[2], -2500.0);
    assert_eq!(f.real("blank_flag").unwrap()[2], 0.0);
    assert_eq!(f.column("id").unwrap().text(0).unwrap(), "9007199254740993");
    assert_eq!(f.label("text").unwrap().get(1), Some("NA"));
    assert_eq!(
        f.column("day").unwrap().text(1).unwrap(),
        "2024-05-01T12:30:00Z"
    );
    assert_eq!(f.column("none").unwrap().missing(), 3);
    let text = f.numeric("mixed").unwrap_err().to_string();
    assert!(text.contains("row 2 is \"x\""), "{text}");
}

#[test]
fn a_late_surprise_changes_the_kind() {
    let rows = (0..5000).map(|i| format!("{i},2024-01-01,true\n"));
    let mut text: String = std::iter::once("x,t,b\n".to_owned()).chain(rows).collect();
    assert_eq!(kinds(&read(&text)), ["real", "time", "flag"]);
    text.push_str("many,soon,1\n");
    let f = read(&text);
    assert_eq!(kinds(&f), ["label", "label", "label"]);
    assert_eq!(f.label("x").unwrap().get(17), Some("17"));
    let blank_first = format!("x,y\n{}1,2024-01-01\n", ",\n".repeat(9000));
    assert_eq!(kinds(&read(&blank_first)), ["real", "time"]);
}

#[test]
fn forms_of_files() {
    for text in [
        "a,b\n1,2\n",
        "a,b\r\n1,2",
        "\u{FEFF}a,b\n1,2\n\n\n",
        "\n a ,b\r\n\r\n1,2\r\n",
        "\"a\",\"b\"\n\"1\",\"2\"\r\n",
    ] {
        let f = read(text);
        assert_eq!(
            (f.names(), f.real("b").unwrap()),
            (&["a".to_owned(), "b".to_owned()][..], &[2.0][..]),
            "{text:?}"
        );
    }
    let f = read(",x\n1,\"two\nlines, \"\"quoted\"\"\"\n");
    assert_eq!(f.names()[0], "column_1");
    assert_eq!(f.label("x").unwrap().get(0), Some("two\nlines, \"quoted\""));
    let f = CsvOptions::new()
        .comment(b'#')
        .delimiter(b'\t')
        .missing(["-9"])
        .keep(["b"])
        .parse("# note\na\tb\n1\t-9\n2\t3\n")
        .unwrap();
    assert_eq!(f.names(), ["b"]);
    assert_eq!(f.column("b").unwrap().missing(), 1);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, b"a\n5\n").unwrap();
    assert_eq!(
        Frame::from_csv(gzip.finish().unwrap())
            .unwrap()
            .real("a")
            .unwrap(),
        [5.0]
    );
}

#[test]
fn declared_kinds_hold() {
    let options = CsvOptions::new().real("x").label("z").time("t", "%d/%m/%Y");
    let f = options
        .parse("x,z,t\n90071992547409931,007,31/12/1999\n")
        .unwrap();
    assert_eq!(kinds(&f), ["real", "label", "time"]);
    assert_eq!(f.label("z").unwrap().get(0), Some("007"));
    let text = options
        .parse("x,z,t\n1,a,01/01/2000\n\"1,5\",b,\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "`<memory>`, row 2, column `x`: \"1,5\" is not a number; correct it, or name it as missing with CsvOptions::missing"
    );
    let text = options
        .parse("x,z,t\n1,a,2000-01-01\n")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("\"2000-01-01\" is not a time of the form %d/%m/%Y"),
        "{text}"
    );
    assert!(matches!(
        CsvOptions::new().real("y").parse("x\n1\n"),
        Err(Error::ColumnNotFound { .. })
    ));
    assert!(matches!(
        CsvOptions::new().time("x", "%q").parse("x\n1\n"),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        CsvOptions::new().delimiter(b'"').parse("x\n1\n"),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn broken_files_are_refused_with_their_place() {
    for empty in ["", "a,b", "a,b\n", "\n\n", "\u{FEFF}"] {
        assert!(
            matches!(Frame::from_csv(empty), Err(Error::EmptyFile { .. })),
            "{empty:?}"
        );
    }
    assert!(matches!(
        Frame::from_csv("a,a\n1,2\n"),
        Err(Error::DuplicateColumn { .. })
    ));
    assert!(matches!(
        Frame::read_csv("no such file.csv"),
        Err(Error::Io { .. })
    ));
    let ragged = |text: &str| match Frame::from_csv(text) {
        Err(Error::RaggedRow {
            row,
            line,
            expected,
            found,
            ..
        }) => (row, line, expected, found),
        other => panic!("{other:?}"),
    };
    assert_eq!(ragged("a,b\n1,2\n\n\"x\ny\",3\n1,2,3,4\n"), (3, 6, 2, 4));
    assert_eq!(ragged("a,b\n1,2\n1\n"), (2, 3, 2, 1));
    let text = refused("a,b\n1,2\n3,\"open\n4,5\n");
    assert!(
        text.contains("row 2, column `b`") && text.contains("never closes"),
        "{text}"
    );
    let text = refused("a,b\n1,\"x\"y\n");
    assert!(
        text.contains("row 1, column `b`") && text.contains("after its closing quote"),
        "{text}"
    );
    let text = Frame::from_csv(b"a,b\n1,x\n2,caf\xE9\n")
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("row 2, column `b`: \"café\" is not UTF-8"),
        "{text}"
    );
}

#[test]
fn quoted_fields_mean_what_they_say() {
    for end in ["\n", "\r\n"] {
        let lines = [
            "\u{FEFF}\"n\",\"m\",\"t\",\"id\"",
            "\"1.5\",\"NA\",\"NA\",\"9007199254740993\"",
            "\" -2e3 \",\"\",\"\",\"1\"",
            "\"inf\",\"7\",\"say \"\"1\"\", twice\r\nover\",2",
            "4,8,\"5\",\"3\"",
        ];
        let text = lines.join(end) + end;
        for piece in [1, 20, 1000] {
            let f = CsvOptions::new().piece(piece).parse(&text).unwrap();
            assert_eq!(kinds(&f), ["real", "real", "label", "label"], "{text:?}");
            assert_eq!(f.real("n").unwrap(), [1.5, -2000.0, f64::INFINITY, 4.0]);
            assert_eq!(f.column("m").unwrap().missing(), 2);
            let t = f.label("t").unwrap();
            let rows: Vec<_> = (0..4).map(|i| t.get(i)).collect();
            let long = "say \"1\", twice\r\nover";
            assert_eq!(rows, [Some("NA"), None, Some(long), Some("5")]);
            assert_eq!(f.label("id").unwrap().get(0), Some("9007199254740993"));
        }
    }
    // Not numbers: a doubled quote after one, a marker that looks like one.
    assert_eq!(kinds(&read("a\n\"1\"\"\"\n")), ["label"]);
    let f = CsvOptions::new()
        .missing(["-9"])
        .parse("a\n\"-9\"\n\"2\"\n")
        .unwrap();
    assert_eq!(f.column("a").unwrap().missing(), 1);
    assert!(refused("a\n\"1\"2\n").contains("after its closing quote"));
}

#[test]
fn faults_after_quoted_line_ends_are_placed() {
    let rows = "\"1\",\"x\n\ny\"\n".repeat(50);
    for piece in [1, 7, 64, 4096] {
        let text = format!("a,b\n{rows}\n1,2,3\n");
        let fault = CsvOptions::new().piece(piece).parse(text).unwrap_err();
        let Error::RaggedRow {
            row, line, found, ..
        } = fault
        else {
            panic!("{fault:?}")
        };
        assert_eq!((row, line, found), (51, 153, 3), "{piece}");
    }
}

#[test]
fn a_million_levels_are_sorted_and_coded() {
    const ROWS: u64 = 1_000_000;
    // Odd and below 2^32, so that no two of the first 2^32 products agree modulo 2^32; texts of unequal length.
    let id = |row: u64| format!("id {}", (row * 2_654_435_761) % (1 << 32));
    let mut text = String::from("id,twice\n");
    for row in 0..ROWS {
        text.extend([&id(row), ",\"", &id(row / 2), "\"\n"]);
    }
    let f = read(&text);
    for (name, levels) in [("id", ROWS), ("twice", ROWS / 2)] {
        let label = f.label(name).unwrap();
        assert_eq!(label.levels().len() as u64, levels);
        assert!(
            label
                .levels()
                .iter()
                .zip(label.levels().iter().skip(1))
                .all(|(a, b)| a < b)
        );
        let step = ROWS / levels;
        assert!((0..ROWS).all(|row| label.get(row as usize) == Some(&id(row / step))));
    }
}

/// Text with everything that quoting must survive.
fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just('"'),
            Just(','),
            Just('\n'),
            Just('\r'),
            Just(' '),
            Just('é'),
            Just('1'),
            Just('.'),
            Just('N'),
            Just('A'),
            any::<char>()
        ],
        1..6,
    )
    .prop_map(|c| c.into_iter().collect())
}

/// A frame with one column of every kind.
fn any_frame() -> impl Strategy<Value = Frame> {
    (1_usize..40).prop_flat_map(|rows| {
        let v = |n| proptest::collection::SizeRange::from(n);
        (
            proptest::collection::vec(
                prop_oneof![
                    any::<f64>(),
                    Just(f64::NAN),
                    Just(f64::INFINITY),
                    (-99_i32..99).prop_map(f64::from)
                ],
                v(rows),
            ),
            proptest::collection::vec(any::<bool>(), v(rows)),
            proptest::collection::vec(proptest::option::of(any_text()), v(rows)),
            proptest::collection::vec(
                proptest::option::of(-4_000_000_000_000_i64..8_000_000_000_000),
                v(rows),
            ),
            any_text(),
        )
            .prop_map(|(reals, flags, texts, millis, name)| {
                let times = millis
                    .iter()
                    .map(|m| m.map_or(f64::NAN, |m| m as f64 / 1000.0))
                    .collect();
                Frame::new()
                    .with("real", reals)
                    .and_then(|f| f.with(format!("flag {name}"), flags))
                    .and_then(|f| f.with("text", texts))
                    .and_then(|f| f.with("time", Time::new(times)))
                    .unwrap()
            })
    })
}

/// Equal to the bit, NaN included.
fn same(a: &Frame, b: &Frame) -> bool {
    format!("{:?}", a.names()) == format!("{:?}", b.names())
        && a.iter().zip(b.iter()).all(|((_, x), (_, y))| match (x, y) {
            (Column::Real(x), Column::Real(y)) => bits(x) == bits(y),
            (Column::Time(x), Column::Time(y)) => bits(x.seconds()) == bits(y.seconds()),
            (x, y) => x == y,
        })
}

fn bits(real: &Real) -> Vec<u64> {
    real.values()
        .iter()
        .map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn what_is_written_reads_back(frame in any_frame(), piece in 1_usize..200) {
        let text = frame.to_csv_string().unwrap();
        let options = CsvOptions::new().real("real").label("text").time("time", "iso").piece(piece);
        let back = options.parse(&text).unwrap();
        prop_assert!(same(&frame, &back), "{:?}\n{:?}\n{}", frame, back, text);
    }

    #[test]
    fn any_bytes_are_read_or_refused_whatever_the_size_of_a_piece(
        bytes in proptest::collection::vec(
            prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'1'), Just(b'a'), Just(b'.'), any::<u8>()], 0..300),
        piece in 1_usize..100,
    ) {
        let whole = CsvOptions::new().parse(&bytes);
        let cut = CsvOptions::new().piece(piece).parse(&bytes);
        match (&whole, &cut) {
            (Ok(a), Ok(b)) => prop_assert!(same(a, b), "{:?} {:?}", a, b),
            (a, b) => prop_assert_eq!(a.as_ref().err(), b.as_ref().err()),
        }
    }

    #[test]
    fn fields_are_those_of_the_csv_crate(rows in proptest::collection::vec((any_text(), any_text()), 1..30), piece in 1_usize..60) {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        for (a, b) in &rows {
            writer.write_record([a, b]).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let options = CsvOptions::new().missing([""; 0]).label("a").label("b").piece(piece);
        let frame = options.parse(&bytes).unwrap();
        for (i, (a, b)) in rows.iter().enumerate() {
            prop_assert_eq!(frame.label("a").unwrap().get(i), Some(a.as_str()));
            prop_assert_eq!(frame.label("b").unwrap().get(i), Some(b.as_str()));
        }
    }

    #[test]
    fn quotes_around_simple_fields_change_nothing(
        rows in proptest::collection::vec((
            prop_oneof![any::<f64>().prop_map(|v| format!("{v:e}")), (-99_i32..99).prop_map(|v| v.to_string()), Just(" 7 ".to_owned()), Just("NA".to_owned()), Just(String::new())],
            "[a-c]{1,2}", any::<[bool; 2]>(),
        ), 1..40),
        crlf in any::<bool>(),
        piece in 1_usize..60,
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let field = |text: &str, quoted: bool| if quoted { format!("\"{text}\"") } else { text.to_owned() };
        let (mut plain, mut quoted) = (format!("n,t{end}"), format!("\"n\",\"t\"{end}"));
        for (number, text, [a, b]) in &rows {
            plain.extend([number, ",", text, end]);
            quoted.extend([&field(number, *a), ",", &field(text, *b), end]);
        }
        let options = CsvOptions::new().label("t").piece(piece);
        let (plain, quoted) = (options.parse(&plain).unwrap(), options.parse(&quoted).unwrap());
        prop_assert!(same(&plain, &quoted), "{:?} {:?}", plain, quoted);
    }
}
