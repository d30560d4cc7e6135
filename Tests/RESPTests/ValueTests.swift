import RESP
import RESPProperties
import Testing

@Suite("Values")
struct ValueTests {
    static func parse(_ wire: String) throws -> RESPValue {
        try #require(StreamOutcome(parsing: Array(wire.utf8)).values.first)
    }

    @Test("what the kind does not have is nil")
    func accessors() throws {
        let number = RESPValue.integer(-3)
        #expect(number.kind == .integer && number.integer == -3)
        #expect(number.double == nil && number.boolean == nil && number.bytes == nil)
        #expect(number.string == nil && number.errorCode == nil && number.verbatimFormat == nil)
        #expect(number.count == 0 && Array(number.children).isEmpty)
        #expect(RESPValue.double(2.5).double == 2.5)
        #expect(RESPValue.boolean(true).boolean == true)
        #expect(RESPValue.null.isNull && !number.isNull)
        #expect(RESPValue.bigNumber("-12").string == "-12")
        let verbatim = RESPValue.verbatimString("text", format: "mkd")
        #expect(verbatim.string == "text" && verbatim.verbatimFormat == "mkd")
    }

    @Test("the first word of an error is its code")
    func errors() throws {
        let error = try Self.parse("-WRONGPASS invalid username-password pair\r\n")
        #expect(error.isError && error.errorCode == "WRONGPASS")
        #expect(error.string == "WRONGPASS invalid username-password pair")
        #expect(RESPValue.bulkError("SYNTAX").errorCode == "SYNTAX")
        #expect(RESPValue.simpleError("").errorCode == "")
        #expect(!RESPValue.simpleString("ERR").isError)
        #expect(RESPValue.simpleString("ERR").errorCode == nil)
    }

    @Test("text that is not UTF-8 is repaired, its bytes are not")
    func illFormedText() {
        let value = RESPValue.bulkString([0x61, 0xFF, 0x62])
        #expect(value.string == "a\u{FFFD}b")
        #expect(value.bytes.map { Array($0) } == [0x61, 0xFF, 0x62])
    }

    @Test("children come in order, with their attributes, at every level")
    func children() throws {
        let value = try Self.parse(
            "*3\r\n*2\r\n:1\r\n$1\r\na\r\n|1\r\n+k\r\n+v\r\n%1\r\n+x\r\n_\r\n#t\r\n")
        let children = Array(value.children)
        #expect(value.count == 3)
        #expect(children.map(\.kind) == [.array, .map, .boolean])
        #expect(children[0] == .array([.integer(1), .bulkString("a")]))
        #expect(children[0].children.map(\.kind) == [.integer, .bulkString])
        #expect(children[1].count == 1)
        #expect(children[1].children.map(\.kind) == [.simpleString, .null])
        #expect(children[1].attributes.map(\.count) == [1])
        #expect(children[1].attributes.flatMap { $0.children }.map(\.string) == ["k", "v"])
        #expect(Array(children[0].attributes).isEmpty)
        #expect(children[2].boolean == true)
    }

    @Test("a key of a map, or of an array of keys and values")
    func keys() throws {
        let map = try Self.parse("%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n")
        #expect(map.value(forKey: "proto")?.integer == 3)
        #expect(map.value(forKey: "redis") == nil)
        let list = try Self.parse("*4\r\n+server\r\n+redis\r\n+proto\r\n:2\r\n")
        #expect(list.value(forKey: "proto")?.integer == 2)
        #expect(RESPValue.null.value(forKey: "proto") == nil)
    }

    @Test("equality sees kinds, contents, order and attributes")
    func equality() {
        #expect(RESPValue.simpleString("a") != .bulkString("a"))
        #expect(RESPValue.bulkString("a") != .bulkString("b"))
        #expect(RESPValue.bulkString("a") != .bulkString("ab"))
        #expect(RESPValue.array([.integer(1)]) != .set([.integer(1)]))
        #expect(RESPValue.array([.integer(1), .null]) != .array([.null, .integer(1)]))
        #expect(
            RESPValue.array([.array([.null]), .array([])]) != .array([.array([]), .array([.null])]))
        #expect(RESPValue.null != RESPValue.null.attributed([]))
        #expect(RESPValue.double(.nan) == .double(-.nan))
        #expect(RESPValue.double(0) != .double(-0.0))
    }

    @Test("a child is equal to the same value on its own, whatever storage it shares")
    func sharedStorage() throws {
        let value = try Self.parse("*2\r\n$3\r\nxyz\r\n*2\r\n$1\r\na\r\n+b\r\n")
        let last = try #require(Array(value.children).last)
        let alone = RESPValue.array([.bulkString("a"), .simpleString("b")])
        #expect(last == alone)
        #expect("\(last)" == "\(alone)")
        var encoder = RESPEncoder()
        encoder.append(last)
        #expect(encoder.bytes == Array("*2\r\n$1\r\na\r\n+b\r\n".utf8))
    }

    @Test("tokens and steps stay small")
    func sizes() {
        #expect(MemoryLayout<RESPError>.size <= 16)
        #expect(MemoryLayout<RESPValue>.size <= 32)
        #expect(MemoryLayout<PubSubStep>.size <= 48)
        #expect(MemoryLayout<PubSubParser>.size <= 192)
    }
}
