import WSFrame

@testable import Relay

/// A browser with one page open, which does what the deployed script does, or something worse.
final class Page {
    /// What kind of page it is.
    enum Behaviour {
        /// As the deployed script: `init` at open, `pong` for a `ping`, back after a close.
        case deployed
        /// Does not answer pings.
        case silent
        /// Answers just in time, or just too late.
        case late
        /// Stops reading now and then.
        case stalling
        /// Its machine is gone without a word now and then.
        case vanishing
        /// Leaves and comes back.
        case leaving
        /// Sends what no browser sends.
        case malicious
        /// Asks for other things than a WebSocket.
        case plain
    }

    enum State {
        case away, connecting, requesting, open, finished
    }

    /// What it has planned for itself.
    private enum Act: Int {
        case connect, stopReading, read, vanish, leave, misbehave, speakLate
    }

    /// Bytes that its machine holds while the page does not read.
    private static let window = 1 << 16
    private static let firstRetry = Nanoseconds.milliseconds(1500)
    private static let longestRetry = Nanoseconds.seconds(15)

    let index: Int
    let channel: Channel
    let path: Path
    unowned let world: World
    var behaviour: Behaviour
    /// Whether it has always done what the script does.
    let isDeployed: Bool
    /// Whether its machine takes bytes slowly, and the daemon's kernel holds few of them.
    private(set) var isSlow = false
    /// Whether the way to it was narrow while things went wrong: what it has not had by then, and not
    /// answered, is held against nobody.
    private let wasNarrow: Bool
    var state = State.away
    private(set) var connection: Connection?
    private var attempt = 0
    private var retry = Page.firstRetry
    private var isReading = true
    private var held: [UInt8] = []
    private var input: [UInt8] = []
    /// What it has been told on the present connection and, where it can resume, on those before.
    var told = Told()
    /// Whether it asks to resume.
    let resumes: Bool
    /// What it keeps for that.
    var memory = ResumeMemory()
    /// When the present connection was made.
    private(set) var connectedAt: Int64 = 0
    private var closeCode: Int?
    /// Whether the daemon ends, and must tell it to come back.
    var isToBeSentAway = false

    init(_ index: Int, in world: World) {
        self.index = index
        self.world = world
        channel = world.channels[index % world.channels.count]
        let plan = world.plan
        path = Path(latency: plan.latency)
        behaviour = Self.draw(plan.faults, &world.actorDice)
        resumes = world.resumeDice.chance(plan.resumeShare)
        // Those that never lose their connection have nothing to resume.
        if resumes, behaviour == .deployed, world.resumeDice.chance(0.4) { behaviour = .leaving }
        isDeployed = behaviour == .deployed
        if plan.faults.contains(.loss), world.actorDice.chance(0.5) {
            path.loss = world.actorDice.pick(of: [0.001, 0.02, 0.1])
        }
        if plan.faults.contains(.narrowPath), world.actorDice.chance(0.5) {
            path.bytesPerSecond = world.actorDice.pick(of: [2000, 20_000, 1_000_000])
        }
        if plan.faults.contains(.slowPage), world.actorDice.chance(0.3) {
            isSlow = true
            path.bytesPerSecond = world.actorDice.pick(of: [100, 400, 2000])
        }
        wasNarrow = path.bytesPerSecond != nil
        let spread: Nanoseconds = .seconds(plan.pages > 1000 ? 10 : 2)
        world.plan(.browser, in: world.actorDice.around(spread), index, Act.connect.rawValue)
    }

    private static func draw(_ faults: FaultSet, _ dice: inout Dice) -> Behaviour {
        let kinds: [(Fault, Behaviour)] = [
            (.silentPage, .silent), (.silentPage, .late), (.stallingPage, .stalling),
            (.vanishingPage, .vanishing),
            (.leavingPage, .leaving), (.maliciousPage, .malicious), (.plainRequest, .plain),
        ]
        for (fault, behaviour) in kinds where faults.contains(fault) && dice.chance(0.15) {
            return behaviour
        }
        return .deployed
    }

    /// The address that the daemon sees.
    var address: SocketAddress {
        let host = "10.\(index >> 16 & 255).\(index >> 8 & 255).\(index & 255)"
        guard let address = SocketAddress(numeric: host, port: 40_000) else {
            preconditionFailure("an address of numbers is none")
        }
        return address
    }

    /// Whether neither it nor the way to it can be a reason to end its connection.
    var isBlameless: Bool {
        isDeployed && !path.wasLossy && !path.wasDead && !wasNarrow && channel !== world.denied
            && !world.plan.faults.list.contains { $0.harmsPages }
    }

    /// Whether it must be subscribed when all is well.
    var wantsToBeSubscribed: Bool { behaviour == .deployed && state != .finished }

    // MARK: - Connecting

    func act(_ detail: Int) {
        switch Act(rawValue: detail & 7) {
        case .connect: connect(detail >> 3)
        case .stopReading: stopReading(detail >> 3)
        case .read: readAgain()
        case .vanish: vanish(detail >> 3)
        case .leave: leave(detail >> 3)
        case .misbehave: misbehave(detail >> 3)
        case .speakLate: speakLate(detail >> 3)
        case nil: break
        }
    }

    private func plan(_ act: Act, in span: Nanoseconds) {
        world.plan(.browser, in: span, index, act.rawValue | attempt << 3)
    }

    private func connect(_ planned: Int) {
        guard state == .away, planned == attempt else { return }
        attempt += 1
        state = .connecting
        world.plan(.arrival, in: world.delay(on: path), index, attempt)
    }

    func awaits(_ attempt: Int) -> Bool { state == .connecting && attempt == self.attempt }

    func wasRefused() { comeBack() }

    func connected(_ connection: Connection) {
        self.connection = connection
        connectedAt = world.clock
        state = .requesting
        input = []
        held = []
        isReading = true
        beginResuming()
        told = memory.asked == nil ? Told() : told.carriedOver
        closeCode = nil
        isToBeSentAway = false
        switch behaviour {
        case .malicious: beginMischief()
        case .plain: sendPlainRequest()
        default: send(upgradeRequest)
        }
        if behaviour == .leaving, world.actorDice.chance(0.2) { plan(.leave, in: .milliseconds(1)) }
    }

    func send(_ bytes: [UInt8]) {
        guard let connection else { return }
        world.send(bytes, on: connection)
    }

    func say(_ text: String) {
        var frame: [UInt8] = []
        FrameEncoder.appendText(
            text, mask: UInt32(truncatingIfNeeded: world.actorDice.bits()), to: &frame)
        send(frame)
    }

    private var upgradeRequest: [UInt8] {
        Array(
            ("GET /\(String(decoding: channel.name, as: UTF8.self))\(query) HTTP/1.1\r\n"
                + "Host: relay.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                .utf8)
    }

    /// The connection is over: the script comes back after a wait that doubles.
    private func comeBack() {
        noteEnd(of: connection)
        connection = nil
        guard state != .finished else { return }
        state = .away
        attempt += 1
        guard world.stage != .ending else { return }
        plan(.connect, in: retry)
        retry = min(Self.longestRetry, retry * 2)
    }

    // MARK: - Reading

    func room(on connection: Connection) -> Int {
        guard connection === self.connection, !isReading else { return .max }
        return max(0, Self.window - held.count)
    }

    func receive(_ bytes: [UInt8]) {
        guard isReading else { return held += bytes }
        input += bytes
        parse()
    }

    private func parse() {
        var offset = 0
        if state == .requesting {
            guard let end = Wire.endOfHead(input) else { return }
            offset = end
            takeHead(input[..<end])
        }
        while state == .open, let frame = Wire.frame(input, from: offset) {
            offset = frame.end
            take(frame)
            if connection == nil { break }
        }
        input.removeFirst(min(offset, input.count))
    }

    private func takeHead(_ head: ArraySlice<UInt8>) {
        let status = Wire.status(head)
        world.note(.request, index, status)
        guard status == 101 else {
            checkAnswer(status)
            // The connection ends by itself; the browser closes its side.
            if let connection { world.closePeer(connection) }
            return comeBack()
        }
        state = .open
        retry = Self.firstRetry
        world.note(.opened, index)
        if behaviour != .silent { say(#"{"type":"init"}"#) }
        planBehaviour()
    }

    private func planBehaviour() {
        let span = world.actorDice.span(.milliseconds(100), .seconds(30))
        switch behaviour {
        case .stalling: plan(.stopReading, in: span)
        case .vanishing: plan(.vanish, in: span)
        case .leaving: plan(.leave, in: span)
        case .malicious: plan(.misbehave, in: span)
        case .late: planToSpeakLate()
        case .deployed, .silent, .plain: break
        }
    }

    private func take(_ frame: Wire.Frame) {
        switch frame.opcode {
        case 1: takeText(input[frame.payload])
        case 8: takeClose(input[frame.payload])
        case 9, 10: break
        default: world.fail("page \(index) got a frame with opcode \(frame.opcode)")
        }
    }

    private func takeClose(_ payload: ArraySlice<UInt8>) {
        let code =
            payload.count < 2
            ? 1005 : Int(payload[payload.startIndex]) << 8 | Int(payload[payload.startIndex + 1])
        closeCode = code
        world.note(.closeFrame, index, code)
        checkClose(code)
        if code == 1008 { checkSilence() }
        guard let connection else { return }
        var frame: [UInt8] = []
        FrameEncoder.appendClose(
            code: code == 1005 ? nil : UInt16(code),
            mask: UInt32(truncatingIfNeeded: world.actorDice.bits()),
            to: &frame)
        send(frame)
        world.closePeer(connection)
        endOfConnection(code)
    }

    /// The daemon's end of the stream has come.
    func ended(_ connection: Connection) {
        guard connection === self.connection else { return }
        checkEnd()
        world.closePeer(connection)
        endOfConnection(1006)
    }

    func wasReset(_ connection: Connection) {
        guard connection === self.connection else { return }
        checkEnd()
        endOfConnection(1006)
    }

    private func endOfConnection(_ code: Int) {
        world.note(.pageEnd, index, code)
        comeBack()
    }

    /// The script takes a hangup as final.
    func hangUp() {
        world.note(.hangup, index)
        if !world.plan.settings.sendsHangup {
            world.fail("page \(index) got a hangup, and none is to be sent")
        }
        state = .finished
        if let connection { world.closePeer(connection) }
        connection = nil
    }

    // MARK: - Behaviour

    private func stopReading(_ planned: Int) {
        guard planned == attempt, state == .open, behaviour == .stalling else { return }
        isReading = false
        plan(.read, in: world.actorDice.span(.milliseconds(100), .seconds(20)))
        plan(.stopReading, in: world.actorDice.span(.seconds(21), .seconds(60)))
    }

    private func readAgain() {
        guard !isReading else { return }
        isReading = true
        var bytes: [UInt8] = []
        swap(&bytes, &held)
        guard let connection else { return }
        receive(bytes)
        world.planOutbound(connection)
    }

    /// It has said something just now: the next time is when the daemon's patience ends.
    private func planToSpeakLate() {
        let early = Nanoseconds.milliseconds(world.actorDice.pick(0...40))
        plan(.speakLate, in: world.plan.settings.pongTimeout - early)
    }

    private func speakLate(_ planned: Int) {
        guard planned == attempt, state == .open, behaviour == .late else { return }
        let stops: FaultSet = FaultSet([.standstill, .lateWait, .interruptedWait, .shortEventList])
        guard world.stage == .disturbed, !world.plan.faults.isDisjoint(with: stops),
            world.actorDice.chance(0.5)
        else {
            say(#"{"type":"pong"}"#)
            return planToSpeakLate()
        }
        // The daemon does not run until its patience is over, and finds what has come meanwhile: of
        // this page last.
        for page in world.pages where page.state == .open && page.behaviour == .deployed {
            page.say(#"{"type":"pong"}"#)
        }
        say(#"{"type":"pong"}"#)
        planToSpeakLate()
        world.dueStandstill = (world.actorDice.pick(10_000_000...100_000_000), 1)
    }

    private func vanish(_ planned: Int) {
        guard planned == attempt, state == .open, behaviour == .vanishing, let connection else {
            return
        }
        world.losePeer(connection)
        endOfConnection(0)
    }

    private func leave(_ planned: Int) {
        guard planned == attempt, behaviour == .leaving, let connection else { return }
        if state == .open, world.actorDice.chance(0.5) {
            var frame: [UInt8] = []
            // Another page is loaded in its place, and knows nothing of it.
            let isGoodbye = resumes && world.actorDice.chance(0.2)
            FrameEncoder.appendClose(code: isGoodbye ? 1000 : 1001, mask: 7, to: &frame)
            send(frame)
            if isGoodbye { forgetStream() }
        }
        // Half of them are loaded anew, and are back before Redis has ended their subscription.
        if world.actorDice.chance(0.5) { retry = world.actorDice.around(world.plan.latency) }
        if world.actorDice.chance(0.3) {
            world.resetPeer(connection)
        } else {
            world.closePeer(connection)
        }
        endOfConnection(0)
    }

    /// Its reader closes it, and does not come back.
    func leaveForGood() {
        guard behaviour == .deployed, state == .open, let connection else { return }
        memory.hasSaidGoodbye = resumes && world.actorDice.chance(0.5)
        var frame: [UInt8] = []
        FrameEncoder.appendClose(code: memory.hasSaidGoodbye ? 1000 : 1001, mask: 7, to: &frame)
        send(frame)
        world.closePeer(connection)
        state = .finished
        endOfConnection(0)
    }

    private func sendPlainRequest() {
        let paths = ["/health", "/ready", "/metrics", "/", "/bad", "/run:status", "/console"]
        let path = world.actorDice.pick(of: paths)
        let method = world.actorDice.pick(of: ["GET", "GET", "HEAD", "POST"])
        send(Array("\(method) \(path) HTTP/1.1\r\nHost: relay.test\r\n\r\n".utf8))
    }

    private func beginMischief() {
        switch world.actorDice.pick(0...5) {
        case 0: send(Array("GET / HTTP/9.9\r\n\r\n".utf8))
        case 1: send((0..<200).map { _ in UInt8(truncatingIfNeeded: world.actorDice.bits()) })
        case 2: send(Array("GET /run0:status HTTP/1.1\r\nHost: ".utf8))
        case 3: break
        default: send(upgradeRequest)
        }
        plan(.misbehave, in: world.actorDice.span(.milliseconds(10), .seconds(20)))
    }

    private func misbehave(_ planned: Int) {
        guard planned == attempt, let connection, behaviour == .malicious else { return }
        switch world.actorDice.pick(0...5) {
        case 0: send((0..<500).map { _ in UInt8(truncatingIfNeeded: world.actorDice.bits()) })
        case 1: send([0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4])
        case 2: for _ in 0..<300 { say("{") }
        case 3: say(#"{"type":"pong"}"# + String(repeating: " ", count: 70_000))
        case 4:
            world.resetPeer(connection)
            return endOfConnection(0)
        default:
            send([0x88, 0x80, 1, 2, 3, 4])
        }
        plan(.misbehave, in: world.actorDice.span(.milliseconds(10), .seconds(20)))
    }

    /// Nothing goes wrong any more: it behaves from now on.
    func reform() {
        let former = behaviour
        behaviour = former == .plain ? .plain : .deployed
        path.isDead = false
        path.loss = 0
        path.bytesPerSecond = nil
        isSlow = false
        readAgain()
        // What it has not answered so far it answers now.
        if former == .silent || former == .late, state == .open { say(#"{"type":"pong"}"#) }
        guard former == .malicious || former == .plain, let connection else { return }
        world.closePeer(connection)
        if former == .plain { state = .finished }
        endOfConnection(0)
    }
}
