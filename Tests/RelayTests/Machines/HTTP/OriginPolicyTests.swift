import Testing

@testable import Relay

@Suite("Origins")
struct OriginPolicyTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let origin: String?
        let host: String
        let patterns: [String]
        let isAllowed: Bool
        var testDescription: String { "\(origin ?? "none") at \(host) with \(patterns)" }

        init(_ origin: String?, _ host: String, _ patterns: [String], _ isAllowed: Bool) {
            (self.origin, self.host) = (origin, host)
            (self.patterns, self.isAllowed) = (patterns, isAllowed)
        }
    }

    static let vectors: [Vector] = [
        Vector(nil, "a.example", ["x"], true),
        Vector("", "a.example", ["x"], true),
        Vector("https://evil.example", "a.example", [], true),
        Vector("https://e v i l", "a.example", [], true),
        Vector("https://a.example", "a.example", ["x"], true),
        Vector("http://A.Example:8080", "a.eXAMPLE:8080", ["x"], true),
        Vector("http://a.example:8080", "a.example", ["x"], false),
        Vector("http://a.example", "a.example:80", ["x"], true),
        Vector("http://a.example:80", "a.example", ["x"], true),
        Vector("https://a.example", "a.example:443", ["x"], true),
        Vector("https://a.example:443", "a.example", ["x"], true),
        Vector("https://a.example:443", "a.example:443", ["x"], true),
        Vector("https://[::1]", "[::1]:443", ["x"], true),
        Vector("https://[::1]:443", "[::1]", ["x"], true),
        Vector("https://a.example", "a.example:80", ["x"], false),
        Vector("http://a.example", "a.example:443", ["x"], false),
        Vector("https://a.example:80", "a.example", ["x"], false),
        Vector("app://a.example", "a.example:443", ["x"], false),
        Vector("https://a.example:4430", "a.example", ["x"], false),
        Vector("https://a.example", "a.example:", ["x"], true),
        Vector("https://a.example", "", ["x"], false),
        Vector("https://b.example", "a.example", ["https://b.example:443"], true),
        Vector("https://b.example:443", "a.example", ["https://b.example"], true),
        Vector("https://b.example", "a.example", ["b.example:443"], true),
        Vector("http://b.example", "a.example", ["b.example:443"], false),
        Vector("http://b.example", "a.example", ["b.example:80"], true),
        Vector("http://b.example", "a.example", ["https://b.example:80"], false),
        Vector("https://b.example:443", "a.example", ["*.example"], true),
        Vector("https://b.example", "a.example", ["b.example:*"], true),
        Vector("https://b.example", "a.example", ["https://b.example/"], true),
        Vector("https://b.example", "a.example", ["b.example//"], true),
        Vector("https://b.example", "a.example", ["\"https://b.example\""], true),
        Vector("https://b.example", "a.example", [" 'b.example' "], true),
        Vector("https://b.example", "a.example", ["wss://b.example"], true),
        Vector("http://b.example", "a.example", ["wss://b.example"], false),
        Vector("https://b.example", "a.example", ["https://*"], true),
        Vector("https://b.example:8443", "a.example", ["https://*/"], true),
        Vector("https://b.example", "a.example", ["https://b.example/app"], false),
        Vector("https://b.example", "a.example", ["*"], true),
        Vector("http://[::1]", "a.example", ["[::1]"], true),
        Vector("http://[::1]:9002", "a.example", ["[::1]:9002"], true),
        Vector("http://[::1]:9002", "a.example", ["http://[::1]:9002/"], true),
        Vector("http://[::1]:9003", "a.example", ["[::1]:9002"], false),
        Vector("http://[::1]:9003", "a.example", ["[::1]:*"], true),
        Vector("http://[::1]", "a.example", ["::1"], true),
        Vector("http://[::1]", "a.example", ["[0:0:0:0:0:0:0:1]"], true),
        Vector("http://[2001:db8::7]", "a.example", ["[2001:DB8::*]"], true),
        Vector("http://:", "a.example", ["[::1]"], false),
        Vector("http://1", "a.example", ["[::1]"], false),
        Vector("null", "a.example", ["null"], true),
        Vector("https://null", "a.example", ["null"], false),
        Vector("https://b.example", "a.example", ["x"], false),
        Vector("https://b.example", "a.example", ["x", "B.Example"], true),
        Vector("https://b.example:444", "a.example", ["b.example"], false),
        Vector("https://b.example:444", "a.example", ["b.example:*"], true),
        Vector("https://b.example.evil", "a.example", ["b.example"], false),
        Vector("https://evil-b.example", "a.example", ["*.b.example"], false),
        Vector("https://c.b.example", "a.example", ["*.b.example"], true),
        Vector("https://d.c.b.example", "a.example", ["*.b.example"], true),
        Vector("https://b.example", "a.example", ["https://b.example"], true),
        Vector("http://b.example", "a.example", ["https://b.example"], false),
        Vector("HTTPS://B.example", "a.example", ["https://*.EXAMPLE"], true),
        Vector("https://b.example", "a.example", ["*://b.example"], true),
        Vector("https://b.example", "a.example", ["https*example"], false),
        Vector("https://u:p@a.example", "a.example", ["x"], true),
        Vector("https://a.example@evil", "a.example", ["a.example"], false),
        Vector("https://evil/a.example", "a.example", ["a.example"], false),
        Vector("https://evil#@a.example", "a.example", ["a.example"], false),
        Vector("https://evil\\@a.example", "b.example", ["evil*"], false),
        Vector("null", "a.example", ["x"], false),
        Vector("null", "a.example", ["*"], true),
        Vector("null", "", ["x"], false),
        Vector("file://", "", ["x"], false),
        Vector("https://b.example https://a.example", "a.example", ["*"], false),
        Vector("https://b\u{E9}.example", "a.example", ["*"], false),
        Vector("ht tp://b", "a.example", ["*"], false),
        Vector("://b", "a.example", ["*"], false),
        Vector("http://[::1]:9002", "[::1]:9002", ["x"], true),
        Vector("http://[::1]", "a.example", ["\\[::1\\]"], true),
        Vector("http://b", "a.example", ["["], false),
        Vector("http://b", "a.example", ["[", "b"], true),
    ]

    @Test("are let in by the contract's rules and no others", arguments: vectors)
    func rules(vector: Vector) {
        let policy = OriginPolicy(patterns: vector.patterns)
        #expect(policy.allows(origin: vector.origin, host: vector.host) == vector.isAllowed)
        #expect(policy.isDisabled == vector.patterns.isEmpty)
    }

    @Test(
        "match patterns as Go's path.Match does",
        arguments: [
            ("abc", "abc", true), ("*", "abc", true), ("*c", "abc", true), ("a*", "a", true),
            ("a*", "abc", true), ("a*", "ab/c", false), ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false), ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true), ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true), ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true), ("ab[b-d]", "abc", true), ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false), ("ab[^b-d]", "abc", false), ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true), ("a\\*b", "ab", false), ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true), ("a???b", "a☺b", false), ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false), ("a?b", "a/b", false), ("a*b", "a/b", false),
            ("[\\]a]", "]", true), ("[\\-]", "-", true), ("[x\\-]", "x", true),
            ("[x\\-]", "-", true), ("[x\\-]", "z", false), ("[\\-x]", "a", false),
            ("*x", "xxx", true), ("", "", true), ("", "a", false), ("**", "ab", true),
            ("?", "", false), ("[z-a]", "m", false), ("[^z-a]", "m", true), ("[!a]", "!", true),
            ("[!-0]", "/", true), ("e", "e\u{301}", false), ("e?", "e\u{301}", true),
        ] as [(String, String, Bool)])
    func wildcards(pattern: String, text: String, isMatch: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(text) == isMatch)
    }

    @Test(
        "have patterns with commas or blanks between them, and quotes that a file left",
        arguments: [
            ("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("a b\tc\nd", ["a", "b", "c", "d"]),
            ("\"a,b\"", ["a", "b"]), ("'a' \"b\"", ["a", "b"]), ("\"\"", []), ("", []), (",", []),
        ])
    func lists(text: String, patterns: [String]) {
        #expect(OriginPattern.list(text) == patterns)
    }

    @Test(
        "have patterns that can never match, which say why",
        arguments: [
            ("https://b.example/app", "has a path"), ("b.example/app", "has a slash"),
            ("https:/b.example", "has a slash"), ("https//b.example", "has a slash"),
            ("https://u@b.example", "has the character \"@\""), (".b.example", "begins with a dot"),
            ("https:b.example", "has a port"), ("b.example:99999", "has a port"),
            ("b.example:http", "has a port"), ("https://", "has no host"), ("[a", "is malformed"),
            ("b\u{FC}cher.example", "is not ASCII"), ("b.example#x", "has the character \"#\""),
            ("a;b", "has the character \";\""), ("://b", "has a scheme"),
            ("ht tp://b", "has a scheme"), ("{a", "has the character \"{\""),
            ("b}.org", "has the character \"}\""), ("(c|d).org", "has the character \"(\""),
            ("c|d.org", "has the character \"|\""), ("^a.org$", "has the character \"^\""),
            ("a+.org", "has the character \"+\""), ("*.a%2eorg", "has the character \"%\""),
            ("\\{a.org", "has the character \"{\""), ("[{|}].org", "has a class"),
            ("[z-a].org", "has a class"), ("https://a.org:0443", "has a port with a zero"),
            ("a.org:0", "has a port"), ("a.org:", "has a port"), ("a.org:80:81", "has a port"),
            ("*.a.org:080", "has a port with a zero"),
            ("https://a..org", "has an empty label"), ("*..org", "has an empty label"),
            ("256.1.1.1", "has an IPv4 address"), ("10.1", "has an IPv4 address"),
            ("010.0.0.1:80", "has an IPv4 address"), ("file://a", "has a scheme whose pages"),
            ("[::ffff:10.0.0.1]", "has an IPv6 address"),
            ("::ffff:10.0.0.1", "has an IPv6 address"),
            ("[::1]:0443", "has a port with a zero"),
            (String(repeating: "a", count: 64) + ".org", "has a host that is longer"),
        ])
    func flaws(pattern: String, flaw: String) {
        #expect(OriginPattern.flaw(of: pattern)?.hasPrefix(flaw) == true)
    }

    @Test(
        "have patterns without a flaw",
        arguments: [
            "b.example", "*.b.example", "https://*", "*", "*://b", "http*://b", "b:*", "b:80[0-9]0",
            "[::1]", "[::1]:9002", "::1", "https://[::1]/", "https://B.example:443/", "null", "b.",
            "\"b\"", "[a-c].set.example", "localhost:5173", "\\[::1\\]", "wss://b", "one?.b", "a_b",
            "chrome-extension://abc", "10.0.0.1", "https://10.0.0.1:8443", "10.0.0.*", "a.org.",
            "a1.2b", "xn--bcher-kva.example", "-a.org", "[^a].org", "[a-z{].org", "a.org:80*",
            "[2001:db8::*]", "[a-c]", "*:[0-9]*",
        ])
    func sound(pattern: String) {
        #expect(OriginPattern.flaw(of: pattern) == nil)
    }

    @Test(
        "with malformed patterns are refused",
        arguments: [
            "[", "[a", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[^", "[^]", "[^bc", "a[", "\\",
            "a\\", "[\\", "[a-", "[a\\", "[]", "x*[",
        ])
    func malformed(pattern: String) {
        #expect(Glob(pattern) == nil)
    }

    @Test("take no exponential time to refuse", .timeLimit(.minutes(1)))
    func pathological() throws {
        let glob = try #require(Glob(String(repeating: "a*", count: 64) + "b"))
        #expect(!glob.matches(String(repeating: "a", count: 4_096)))
    }
}
