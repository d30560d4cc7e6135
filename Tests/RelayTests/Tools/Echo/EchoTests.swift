import Testing
import WSFrame

@testable import Relay
@testable import Simulation

/// The echo of the conformance tests, on the simulated machine.
@Suite struct EchoTests {
    private static let port: UInt16 = 9001

    private static func server(
        _ world: World, maxMessageSize: Int = 4 << 20
    ) throws -> EchoLoop<SimulatedSys> {
        var echo = EchoLoop(sys: SimulatedSys(world: world), maxMessageSize: maxMessageSize)
        _ = try echo.listen(.tcp(host: "127.0.0.1", port: port))
        return echo
    }

    private static func settle(_ echo: inout EchoLoop<SimulatedSys>, _ world: World) {
        for _ in 0..<10_000 where world.hasEvents { echo.turn() }
        #expect(!world.hasEvents, "the loop turns without end")
    }

    private static func open(
        _ echo: inout EchoLoop<SimulatedSys>, _ world: World
    ) throws -> SimulatedPage {
        let page = SimulatedPage(try #require(world.connect(port: port)))
        page.sendUpgrade("/any/path")
        settle(&echo, world)
        #expect(page.status == 101)
        return page
    }

    @Test func sendsMessagesBackAndClosesAsTheProtocolSays() throws {
        let world = World()
        var echo = try Self.server(world)
        let page = try Self.open(&echo, world)
        page.say("one")
        page.sendFrame(.text, Array("tw".utf8), isFinal: false)
        page.sendFrame(.ping, [1])
        page.sendFrame(.continuation, Array("o".utf8))
        Self.settle(&echo, world)
        #expect(page.messages == ["one", "two"])
        #expect(page.pongs == 1)
        page.sendClose(3000)
        Self.settle(&echo, world)
        page.read()
        #expect(page.closeCode == 3000)
        #expect(page.connection.daemonHasEnded && !page.isClosed)
        page.connection.peerHasEnded = true
        Self.settle(&echo, world)
        #expect(world.openDescriptors == 0)
    }

    @Test func aPeerThatDoesNotReadIsNotRead() throws {
        let world = World()
        var echo = try Self.server(world)
        let page = try Self.open(&echo, world)
        page.connection.capacity = 1000
        let message = String(repeating: "x", count: 100_000)
        for _ in 0..<100 { page.say(message) }
        let sent = page.connection.toDaemon.count
        Self.settle(&echo, world)
        let limit = EchoLoop<SimulatedSys>.outputLimit + EventLoop<SimulatedSys>.readSize
        #expect(sent - page.connection.toDaemon.count < limit + message.utf8.count)
        page.connection.capacity = 1 << 24
        Self.settle(&echo, world)
        #expect(page.messages == Array(repeating: message, count: 100))
    }

    @Test func refusesWhatIsNoWebSocketAndWhatIsTooLong() throws {
        let world = World()
        var echo = try Self.server(world, maxMessageSize: 10)
        let plain = SimulatedPage(try #require(world.connect(port: Self.port)))
        plain.send("GET / HTTP/1.1\r\nHost: echo.test\r\n\r\n")
        Self.settle(&echo, world)
        #expect(plain.status == 426)
        let page = try Self.open(&echo, world)
        page.say("more than ten")
        Self.settle(&echo, world)
        page.read()
        #expect(page.closeCode == WebSocketCloseCode.messageTooBig)
        // Neither peer ends its side: the linger limit ends both connections.
        world.wakeUp = world.now + ClientConnection.lingerLimit
        for _ in 0..<10 { echo.turn() }
        #expect(world.openDescriptors == 0)
    }

    @Test func aSignalEndsIt() throws {
        let world = World()
        var echo = try Self.server(world)
        world.signals = [15]
        #expect(echo.run() == nil)
    }

    // MARK: - The client

    /// What a server sends that answers the request and then closes.
    private static func answer(_ request: String, _ message: String) throws -> [UInt8] {
        let line = try #require(
            request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") })
        var bytes: [UInt8] = []
        WebSocketUpgrade.appendAcceptance(
            acceptKey: WebSocketUpgrade.acceptKey(for: String(line.dropFirst(19))), to: &bytes)
        FrameEncoder.appendText(message, to: &bytes)
        FrameEncoder.appendClose(code: 1000, to: &bytes)
        return bytes
    }

    @Test func theClientTakesTheCasesInOrder() throws {
        let world = World()
        var echo = EchoLoop(sys: SimulatedSys(world: world), maxMessageSize: 100)
        echo.cases = EchoCaseRun(
            address: try #require(SocketAddress(numeric: "127.0.0.1", port: 7)), agent: "me")
        echo.nextCase()
        var paths: [Substring] = []
        while !echo.ended.isEnded {
            Self.settle(&echo, world)
            let connection = try #require(world.redisConnections.last)
            let request = String(decoding: connection.fromDaemon, as: UTF8.self)
            connection.fromDaemon = []
            paths.append(request.split(separator: " ")[1])
            connection.toDaemon = try Self.answer(request, paths.count == 1 ? "2" : "hello")
            Self.settle(&echo, world)
            // The echo, unless it is the answer to the client's own question, and the close frame.
            #expect(connection.fromDaemon.count == (paths.count == 1 ? 0 : 11) + 8)
            connection.peerHasEnded = true
            echo.turn()
        }
        #expect(echo.ended.failure == nil)
        #expect(
            paths == [
                "/getCaseCount", "/runCase?case=1&agent=me", "/runCase?case=2&agent=me",
                "/updateReports?agent=me",
            ])
        #expect(world.openDescriptors == 0)
    }

    @Test func theClientSaysWhyItCannotConnect() throws {
        let world = World()
        world.dialPolicy = .refuse
        var echo = EchoLoop(sys: SimulatedSys(world: world), maxMessageSize: 100)
        echo.cases = EchoCaseRun(
            address: try #require(SocketAddress(numeric: "127.0.0.1", port: 7)), agent: "me")
        echo.nextCase()
        #expect(echo.run() == "cannot open a WebSocket: connection refused")
    }
}
