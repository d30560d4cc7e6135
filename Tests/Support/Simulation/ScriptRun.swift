import Fuzzing
import RESP
import WSFrame

@testable import Relay

/// One script under way.
struct ScriptRun: ~Copyable {
    private static let mask: UInt32 = 0x1234_5678
    private static let browserLimit = 12
    private static let bytesLimit = 200
    private static let channelCount = 3
    /// Turns in which nothing may come to rest.
    private static let turnLimit = 4000

    private var script: ByteScript
    private let world: World
    private let process: DaemonProcess
    private var browsers: [Connection] = []
    private var isStopped = false
    private var turns = 0
    /// How long the daemon had stood still when it was asked to end.
    private var stoodStill: Int64 = 0

    var violation: String? { world.violation }
    var goesOn: Bool { !script.isAtEnd && !isStopped && violation == nil && turns < Self.turnLimit }

    /// Starts the daemon; the first two bytes say in what surroundings.
    init(_ input: ByteScript) {
        script = input
        let plan = Self.plan(&script)
        world = World(plan)
        world.record.kept = 40
        if script.byte() & 1 == 1 { world.scriptedRedis = ScriptedRedis() }
        process = DaemonProcess(
            in: world,
            options: RelayOptions(connectionLimit: 8, clientLimit: 10, release: Release()))
        process.start()
        pass(.milliseconds(5))
    }

    private static func plan(_ script: inout ByteScript) -> Plan {
        let mischief = script.byte()
        var plan = Plan(seed: UInt64(mischief))
        let faults: [Fault] = [
            .partialRead, .partialWrite, .smallBuffers, .shortEventList, .spuriousReadiness,
            .staleReadiness, .redisOld, .latency,
        ]
        plan.faults = FaultSet(
            faults.filter { mischief >> UInt8(faults.firstIndex(of: $0) ?? 0) & 1 == 1 })
        plan.isScripted = true
        plan.pages = 0
        plan.channels = channelCount
        plan.mischief = 0.3
        plan.latency = Nanoseconds(200_000)
        var settings = Settings()
        settings.listenAddress = plan.settings.listenAddress
        settings.redis = plan.settings.redis
        settings.metricsEnabled = true
        settings.consoleEnabled = true
        settings.redisMaxRetries = 0
        settings.gapNotices = true
        settings.sendsHangup = mischief & 0x11 == 0x11
        settings.maxMessageSize = 400
        settings.maxPayloadSize = 300
        settings.maxConnectionsPerAddress = 4
        settings.memoryBudget = 1 << 20
        settings.pingInterval = .seconds(1)
        settings.pongTimeout = .seconds(5)
        settings.shutdownTimeout = .seconds(3)
        plan.settings = settings
        return plan
    }

    // MARK: - Time

    /// Lets time pass, as long as the daemon has not ended.
    private mutating func pass(_ span: Nanoseconds) {
        let target = world.clock + span.count
        world.plan(.script, in: span, 0)
        while world.clock < target, violation == nil, !isStopped, turns < Self.turnLimit { turn() }
    }

    private mutating func turn() {
        turns += 1
        process.turn()
        if case .stopped = process.phase { isStopped = true }
    }

    /// Asks the daemon to end, where nobody has.
    private mutating func terminate() {
        guard world.stage != .ending else { return }
        stoodStill = world.stoodStill
        world.enter(.ending)
    }

    /// Asks the daemon to end where nobody has, and looks at what browsers have got.
    mutating func finish() {
        terminate()
        var turns = 0
        while !isStopped, violation == nil {
            turn()
            turns += 1
            // Nobody can end while standing still.
            if world.clock - (world.stoodStill - stoodStill) > world.stopLimit {
                world.fail("asked to end, the daemon has not")
            }
            if turns > Self.turnLimit { world.fail("the daemon turns and turns, and does not end") }
        }
        for browser in browsers where violation == nil { checkReceived(of: browser) }
        // Sessions and their connections know each other, and would stay in memory.
        world.redis.become(.down, for: .zero)
        if violation != nil {
            world.violation? += "\n" + world.record.lines(from: world.start).joined(separator: "\n")
        }
    }

    /// What a browser has got is the head of a response, and frames behind a 101.
    private func checkReceived(of browser: Connection) {
        guard case .script(let peer) = browser.peer, !peer.received.isEmpty else { return }
        guard "HTTP/1.1 ".utf8.starts(with: peer.received.prefix(9)) else {
            return world.fail("a browser gets no HTTP: \(peer.received.prefix(40))")
        }
        guard let end = Wire.endOfHead(peer.received), Wire.status(peer.received[...]) == 101 else {
            return
        }
        var decoder = WebSocketDecoder(
            role: .client, limits: WebSocketLimits(maxMessageSize: 1 << 22))
        var bytes = peer.received
        var offset = end
        while offset < bytes.count {
            do throws(WebSocketError) {
                let step = try decoder.next(&bytes, from: offset, to: bytes.count)
                offset = step.end
                if case .close = step.event, offset < bytes.count {
                    return world.fail("bytes follow the close frame")
                }
            } catch {
                return world.fail("a browser gets ill-formed frames: \(error)")
            }
        }
    }
}

// What each step does.
extension ScriptRun {
    /// Takes the next step of the script.
    mutating func takeStep() {
        let byte = script.byte()
        let steps = RelayScript.Step.allCases
        switch steps[Int(byte & 0x7F) % steps.count] {
        case .connect: connect()
        case .browserBytes, .upgrade, .say, .sayKnown, .frame, .request:
            send(steps[Int(byte & 0x7F) % steps.count])
        case .browserEnds: if let browser = browser() { world.closePeer(browser) }
        case .browserResets: if let browser = browser() { world.resetPeer(browser) }
        case .browserVanishes: if let browser = browser() { world.losePeer(browser) }
        case .browserReads: if let browser = browser() { toggleReading(browser) }
        case .redisBytes:
            if let link = link() {
                world.send(Array(script.text(limit: Self.bytesLimit)), on: link)
            }
        case .answer: if let link = link() { answer(on: link) }
        case .publish: publish()
        case .redisEnds: if let link = link() { world.closePeer(link) }
        case .redisResets: if let link = link() { world.resetPeer(link) }
        case .redisReads: if let link = link() { toggleReading(link) }
        case .redisRefuses: world.scriptedRedis?.isRefusing.toggle()
        case .redisCondition:
            let condition = RedisServer.Condition(rawValue: script.number(below: 4)) ?? .well
            world.redis.become(condition, for: span())
        case .timePasses: pass(span())
        case .standstill: world.dueStandstill = (span().count, script.number(below: 8))
        case .terminate: terminate()
        }
        if byte & 0x80 == 0 { pass(.milliseconds(2)) }
    }

    private mutating func connect() {
        let peer = ScriptedPeer(1 + script.number(below: 4))
        guard browsers.count < Self.browserLimit,
            let listener = world.listeners.first(where: { $0.port == World.port })
        else { return }
        let path = Path(latency: world.plan.latency)
        let connection = world.makeConnection(peer: .script(peer), path: path)
        listener.backlog.append(connection)
        browsers.append(connection)
    }

    /// One of the browsers, the latest for zero.
    private mutating func browser() -> Connection? {
        let number = Int(script.byte())
        guard !browsers.isEmpty else { return nil }
        return browsers[browsers.count - 1 - number % browsers.count]
    }

    /// One of the links that are open, the latest for zero.
    private mutating func link() -> Connection? {
        let number = Int(script.byte())
        let links = world.connections.compactMap { $0 }.filter { $0.port != 0 && !$0.isClosed }
        guard !links.isEmpty else { return nil }
        return links[links.count - 1 - number % links.count]
    }

    /// From a millisecond to some nine minutes.
    private mutating func span() -> Nanoseconds {
        .milliseconds(1 << Int64(script.number(below: 20)))
    }

    private mutating func toggleReading(_ connection: Connection) {
        guard case .script(let peer) = connection.peer else { return }
        peer.isReading.toggle()
        if peer.isReading { world.planOutbound(connection) }
    }

    /// A browser sends something.
    private mutating func send(_ step: RelayScript.Step) {
        guard let browser = browser() else { return }
        var bytes: [UInt8] = []
        switch step {
        case .upgrade:
            let channel = script.number(below: Self.channelCount)
            bytes = Array(
                """
                GET /run\(channel):status HTTP/1.1\r
                Host: relay.test\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                \r

                """.utf8)
        case .request:
            let paths = ["/health", "/ready", "/metrics", "/", "/run0:status", "/nothing"]
            let path = paths[script.number(below: paths.count)]
            let method = script.byte() & 1 == 0 ? "GET" : "HEAD"
            bytes = Array("\(method) \(path) HTTP/1.1\r\nHost: relay.test\r\n\r\n".utf8)
        case .say:
            let text = Array(script.text(limit: Self.bytesLimit))
            FrameEncoder.append(.text, text.span, mask: Self.mask, to: &bytes)
        case .sayKnown:
            let kind = script.byte() & 1 == 0 ? "init" : "pong"
            FrameEncoder.appendText("{\"type\":\"\(kind)\"}", mask: Self.mask, to: &bytes)
        case .frame:
            let opcodes: [WebSocketOpcode] = [.continuation, .text, .binary, .close, .ping, .pong]
            let opcode = opcodes[script.number(below: opcodes.count)]
            let isFinal = opcode.isControl || script.byte() & 1 == 0
            let text = Array(script.text(limit: opcode.isControl ? 125 : Self.bytesLimit))
            FrameEncoder.append(
                opcode, text.span, isFinal: isFinal, mask: Self.mask, to: &bytes)
        default:
            bytes = Array(script.text(limit: Self.bytesLimit))
        }
        world.send(bytes, on: browser)
    }

    /// What a Redis says to the commands of a link.
    private mutating func answer(on link: Connection) {
        let channel = "run\(script.number(below: Self.channelCount)):status"
        var encoder = RESPEncoder(version: script.byte() & 1 == 0 ? .resp3 : .resp2)
        switch script.number(below: 8) {
        case 0:
            encoder.mapHeader(2)
            for text in ["proto", "3", "role", "master"] { encoder.bulkString(text) }
        case 1: encoder.simpleString("OK")
        case 2: encoder.simpleString("PONG")
        case 3, 4:
            encoder.pushHeader(3)
            encoder.bulkString("subscribe")
            encoder.bulkString(channel)
            encoder.integer(1)
        case 5:
            encoder.pushHeader(3)
            encoder.bulkString("message")
            encoder.bulkString(channel)
            encoder.bulkString(Array(script.text()))
        case 6: encoder.simpleError("LOADING Redis is loading the dataset in memory")
        default:
            encoder.arrayHeader(2)
            encoder.bulkString("pong")
            encoder.bulkString("")
        }
        world.send(encoder.bytes, on: link)
    }

    /// A message of a channel, to all that subscribe to it.
    private mutating func publish() {
        let channel = world.channels[script.number(below: Self.channelCount)]
        let length = Int(script.byte()) * 2
        let bytes = Array(script.text(limit: Self.bytesLimit))
        guard world.redis.takesPublications(of: channel) else { return }
        let filler = [UInt8](repeating: 0x61, count: max(0, length - bytes.count))
        world.redis.publish(bytes + filler, on: channel)
    }
}
