import Testing

@testable import Relay

@Suite("Durations in Go's notation")
struct GoDurationTests {
    @Test(
        "are read as Go's time.ParseDuration reads them",
        arguments: [
            ("0", 0), ("+0", 0), ("-0", 0), ("0s", 0), ("5s", 5_000_000_000),
            ("30s", 30_000_000_000), ("1478s", 1_478_000_000_000), ("-5s", -5_000_000_000),
            ("+5s", 5_000_000_000), ("5.0s", 5_000_000_000), ("5.6s", 5_600_000_000),
            ("5.s", 5_000_000_000), (".5s", 500_000_000), ("1.0s", 1_000_000_000),
            ("1.004s", 1_004_000_000), ("1.0040s", 1_004_000_000),
            ("100.00100s", 100_001_000_000), ("10ns", 10), ("11us", 11_000), ("12µs", 12_000),
            ("12μs", 12_000), ("13ms", 13_000_000), ("150ms", 150_000_000),
            ("14s", 14_000_000_000), ("15m", 900_000_000_000), ("16h", 57_600_000_000_000),
            ("3h30m", 12_600_000_000_000), ("10.5s4m", 250_500_000_000),
            ("1m30s", 90_000_000_000), ("1.5h", 5_400_000_000_000),
            ("-2m3.4s", -123_400_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006), ("39h9m14.425s", 140_954_425_000_000),
            ("52763797000ns", 52_763_797_000), ("0.3333333333333333333h", 1_200_000_000_000),
            ("9007199254740993ns", 9_007_199_254_740_993),
            ("9223372036854775807ns", .max), ("9223372036854775.807us", .max),
            ("-9223372036854775808ns", .min), ("-9223372036854775.808us", .min),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.830103483285477580700h", 2_988_372_539_827),
        ] as [(String, Int64)])
    func read(text: String, nanoseconds: Int64) throws {
        #expect(try GoDuration.parse(text) == Nanoseconds(nanoseconds))
    }

    @Test(
        "are refused where Go refuses them",
        arguments: [
            "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "1S", "1 s", " 1s", "1s ", "1,5s",
            "1e3s", "0x1s", "5s5", "1.5.5s", "--5s", "٣s", "1m s", "\u{0}", "5sec", "µ", "00",
            "9223372036854775808ns", "-9223372036854775809ns", "9223372036854775.808us",
            "9223372036854ms775us808ns", "-9223372036854775808ns1ns", "3000000h",
            "99999999999999999999s", "9223372036854775807h",
        ])
    func refused(text: String) {
        #expect(throws: InvalidValue.self) { try GoDuration.parse(text) }
    }

    @Test(
        "are printed as one number of the largest unit that holds them exactly",
        arguments: [
            (0, "0s"), (1, "1ns"), (1_000, "1µs"), (150_000_000, "150ms"),
            (1_500_000_000, "1500ms"), (75_000_000_000, "75s"), (60_000_000_000, "1m"),
            (5_400_000_000_000, "90m"), (-3_600_000_000_000, "-1h"),
            (.max, "9223372036854775807ns"),
        ] as [(Int64, String)])
    func printed(nanoseconds: Int64, text: String) throws {
        #expect(GoDuration.print(Nanoseconds(nanoseconds)) == text)
        #expect(try GoDuration.parse(text) == Nanoseconds(nanoseconds))
    }
}
