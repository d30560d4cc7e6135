/// What came of sending a socket's queue.
enum FlushOutcome: Equatable {
    /// Everything is sent.
    case drained
    /// The socket is full; it is watched for room.
    case blocked
    case failed(SystemError)
}

/// What may be concluded from the firing of a timer.
enum TimerVerdict: Equatable {
    /// Everything that had arrived by this instant has been read: what has not come is missed (I10).
    case judged(Instant)
    /// The instant has come, and sockets are still to be looked at: what is to be sent can be, but
    /// nobody may be given up.
    case unjudged(Instant)

    /// The instant that deadlines are compared with.
    var now: Instant {
        switch self {
        case .judged(let now), .unjudged(let now): now
        }
    }
}

/// The mechanics of one event loop: sockets, timers, and what one turn collects.
///
/// It knows nothing of what its sockets are for. Everything of a connection happens on one loop, in
/// one thread, without locks (I1). Output collects during a turn and leaves in one write a socket at
/// its end (I4).
struct EventLoop<S: Sys & ~Copyable>: ~Copyable {
    /// Bytes read from one socket in one turn, at most.
    static var readSize: Int { 64 * 1024 }

    var sys: S
    /// Timers fired in one turn, at most; the simulated machine makes do with fewer.
    var timerLimit = 4096
    private var clock: LoopClock
    private(set) var wheel: TimerWheel
    private(set) var pool = BlockPool()
    /// What reads go into; whoever handles a socket takes it and gives it back.
    var readBuffer: [UInt8]
    private var dirty: [Token] = []
    /// The look that timers are waiting for, while it lasts.
    private var look: Look?
    /// The instant up to which deadlines may be judged: all that had arrived by then has been told.
    private var judgedUntil: Instant?
    /// The time that the loop stood still before the present turn, until it is taken.
    private var standstill = Nanoseconds.zero
    /// How late the loop came to the first timer that is due in the present turn, until it is taken.
    private var lag: Nanoseconds?
    /// Sockets that are open, and what else the kernel is asked about: listeners, signals, the inbox.
    private var watchedCount = 8
    private var memoryRelease = MemoryRelease()
    /// Bytes that were read and wait for the rest of a value or a frame, on all sockets.
    private var keptInput = 0

    /// A look at every socket, from the instant at which a timer was found to be due.
    private struct Look {
        let begun: Instant
        /// How many more may be told before all have been. A socket that gets something while the
        /// kernel makes its list is told ahead of its turn, hence two for each.
        var untold: Int
    }

    /// Bytes of memory that hold what connections have not sent or not consumed yet.
    var bufferedBytes: Int { pool.usedBytes + keptInput + heldBytes }

    /// Bytes of messages that are held for browsers that may come back.
    var heldBytes = 0

    /// The instant of the present turn; standstills are left out.
    var now: Instant { clock.now }

    /// The boot clock at the present turn.
    var boot: BootTime { clock.boot }

    /// When the next timer is due by the boot clock, as far as the loop knows of standstills.
    var nextWakeUp: BootTime? { wheel.nextExpiry.map(clock.boot(at:)) }

    /// All the time that the loop has stood still.
    var stoodStill: Nanoseconds { clock.stoodStill }

    init(sys: consuming S) {
        clock = LoopClock(sys.now())
        wheel = TimerWheel(start: clock.now)
        readBuffer = Array(repeating: 0, count: Self.readSize)
        self.sys = sys
    }

    // MARK: - Turns

    /// Waits for events until the next timer and appends them to `events`.
    ///
    /// What a timer says has not come by its deadline may have come all the same. So when one is due,
    /// all that has arrived is looked at, in as many turns as it takes; only then is a deadline judged
    /// (I10).
    mutating func wait(into events: inout [SysEvent]) {
        let next = wheel.nextExpiry
        let wasLooking = look != nil
        if look == nil, let next, next <= now {
            look = Look(begun: now, untold: 2 * watchedCount)
        }
        let deadline = look == nil ? next : now
        let countBefore = events.count
        let outcome = sys.wait(until: deadline.map(clock.boot(at:)), into: &events)
        let told = events.count - countBefore
        // Read once a turn: a standstill in the turn's own work makes the next wait late.
        let late = clock.read(sys.now(), expected: deadline ?? .never)
        if let late { standstill = standstill + late }
        if !wasLooking, let next, next <= now { lag = now - next + (late ?? .zero) }
        noteLook(outcome, told: told, deadline: deadline)
    }

    /// Finds out whether everything that had arrived when a timer came due has been told.
    private mutating func noteLook(_ outcome: WaitOutcome, told: Int, deadline: Instant?) {
        judgedUntil = nil
        guard var look else {
            // The wait has ended by its deadline, and nothing had come by then.
            if outcome == .complete, told == 0, let deadline, deadline <= now {
                judgedUntil = deadline
            }
            return
        }
        switch outcome {
        case .complete: look.untold = 0
        case .cut(let told): look.untold -= told
        case .interrupted: break
        }
        self.look = look.untold > 0 ? look : nil
        if look.untold <= 0 { judgedUntil = look.begun }
    }

    /// The time that the loop stood still since this was last asked; zero nearly always.
    mutating func takeStandstill() -> Nanoseconds {
        defer { standstill = .zero }
        return standstill
    }

    /// How late the loop came to its timers in this turn, standstills included; nil where none has
    /// become due.
    mutating func takeLag() -> Nanoseconds? { lag.take() }

    /// Appends the owners of the timers that are due to `owners`; returns what they may conclude.
    mutating func fireTimers(into owners: inout [Token]) -> TimerVerdict {
        _ = wheel.expire(now: now, limit: timerLimit, into: &owners)
        return judgedUntil.map { .judged($0) } ?? .unjudged(now)
    }

    /// Gives the allocator the blocks of a burst that has passed.
    mutating func settlePool() { pool.settle() }

    /// Gives memory that was used in a burst back to the system.
    mutating func releaseMemory() {
        if memoryRelease.isDue(unused: sys.unusedMemory(), at: now) {
            sys.releaseMemory()
            memoryRelease.isDone(unused: sys.unusedMemory())
        }
    }

    /// Takes the sockets that have something to send or that ended during the turn.
    mutating func takeDirty(into tokens: inout [Token]) {
        swap(&dirty, &tokens)
        dirty.removeAll(keepingCapacity: true)
    }

    // MARK: - Sockets

    /// Makes the record of a socket that is not connected yet.
    mutating func makeSocket(token: Token) -> Socket {
        Socket(token: token, timer: wheel.makeTimer(owner: token))
    }

    /// Connects the record with an accepted descriptor, watched for reading.
    mutating func adopt(_ descriptor: Descriptor, in socket: inout Socket) {
        socket.descriptor = descriptor
        socket.interest = .read
        socket.hasEnded = false
        watchedCount += 1
        sys.watch(descriptor, token: socket.token, for: .read)
    }

    /// Begins a connection; its decision is told as room to write.
    mutating func dial(
        _ address: SocketAddress, keepAlive: KeepAlive? = nil, in socket: inout Socket
    ) -> SystemError? {
        do throws(SystemError) {
            socket.descriptor = try sys.dial(
                address, keepAlive: keepAlive, token: socket.token)
            socket.interest = .write
            socket.hasEnded = false
            watchedCount += 1
            return nil
        } catch {
            return error
        }
    }

    /// Begins a connection without a record, as one of several; its decision is told as room to
    /// write under `token`.
    mutating func beginDial(
        _ address: SocketAddress, keepAlive: KeepAlive, token: Token
    ) throws(SystemError) -> Descriptor {
        let descriptor = try sys.dial(address, keepAlive: keepAlive, token: token)
        watchedCount += 1
        return descriptor
    }

    /// Connects the record with a connection that was begun without one, watched for reading.
    mutating func adopt(dialed descriptor: Descriptor, in socket: inout Socket) {
        socket.descriptor = descriptor
        socket.interest = .read
        socket.hasEnded = false
        sys.rewatch(descriptor, token: socket.token, for: .read)
    }

    /// Closes a connection that has no record.
    mutating func abandon(dialed descriptor: Descriptor) {
        sys.close(descriptor, reset: true)
        watchedCount -= 1
    }

    /// Gives the connection up without closing it: another loop has it from now on.
    mutating func detach(_ socket: inout Socket) -> Descriptor {
        let descriptor = socket.descriptor
        sys.unwatch(descriptor)
        watchedCount -= 1
        socket.descriptor = -1
        socket.interest = []
        release(&socket)
        return descriptor
    }

    /// Changes what the socket is watched for, if it is a change.
    mutating func watch(_ socket: inout Socket, for interest: Interest) {
        guard socket.isOpen, socket.interest != interest else { return }
        socket.interest = interest
        sys.rewatch(socket.descriptor, token: socket.token, for: interest)
    }

    /// Queues bytes for the end of the turn.
    mutating func queue(_ bytes: [UInt8], on socket: inout Socket) {
        queue(bytes.span, on: &socket)
    }

    /// Queues bytes for the end of the turn.
    mutating func queue(_ bytes: Span<UInt8>, on socket: inout Socket) {
        guard bytes.count > 0 else { return }
        socket.output.append(bytes, now: now, pool: &pool)
        markDirty(&socket)
    }

    /// Puts what a socket had left over in front of the `count` bytes just read into `buffer`.
    ///
    /// Returns how many bytes `buffer` then holds; ``keep(_:from:of:in:)`` must follow.
    mutating func join(_ buffer: inout [UInt8], count: Int, in socket: inout Socket) -> Int {
        keptInput -= socket.input.count
        return socket.input.join(&buffer, count: count)
    }

    /// Keeps the bytes of `buffer` from `consumed` to `count` for the socket's next read.
    mutating func keep(
        _ buffer: inout [UInt8], from consumed: Int, of count: Int, in socket: inout Socket
    ) {
        socket.input.keep(&buffer, from: consumed, of: count)
        keptInput += socket.input.count
    }

    /// Puts the socket on the list of those looked at when the turn ends.
    mutating func markDirty(_ socket: inout Socket) {
        guard !socket.isDirty else { return }
        socket.isDirty = true
        dirty.append(socket.token)
    }

    /// Sends what is queued, in one write, and watches for room where that was not all.
    mutating func flush(_ socket: inout Socket, reads: Bool) -> FlushOutcome {
        guard socket.isOpen else { return .drained }
        let interest: Interest = reads ? .read : []
        guard !socket.output.isEmpty else {
            watch(&socket, for: interest)
            return .drained
        }
        switch sys.send(socket.descriptor, socket.output) {
        case .failed(let error):
            return .failed(error)
        case .sent(let count):
            socket.output.remove(first: count, now: now, pool: &pool)
            let isDrained = socket.output.isEmpty
            watch(&socket, for: isDrained ? interest : interest.union(.write))
            return isDrained ? .drained : .blocked
        }
    }

    /// Ends the sending direction, once.
    mutating func endSending(_ socket: inout Socket) {
        guard socket.isOpen, !socket.hasEnded else { return }
        socket.hasEnded = true
        sys.shutdownSending(socket.descriptor)
    }

    /// Closes the connection and drops what is queued; the record can be connected again.
    mutating func disconnect(_ socket: inout Socket, reset: Bool = false) {
        socket.output.clear(&pool)
        keptInput -= socket.input.count
        socket.input.clear()
        guard socket.isOpen else { return }
        sys.close(socket.descriptor, reset: reset)
        watchedCount -= 1
        socket.descriptor = -1
        socket.interest = []
    }

    /// Closes the connection and gives the timer back: the end of the record.
    mutating func release(_ socket: inout Socket, reset: Bool = false) {
        disconnect(&socket, reset: reset)
        wheel.release(socket.timer)
    }

    /// Takes the read buffer back after use.
    ///
    /// A connection that ended while its leftover bytes were joined with it took it along.
    mutating func giveBack(_ buffer: inout [UInt8]) {
        readBuffer = take(&buffer)
        if readBuffer.count != Self.readSize {
            readBuffer = Array(repeating: 0, count: Self.readSize)
        }
    }

    // MARK: - Timers

    /// Sees to it that the socket's timer fires at `deadline` or before.
    ///
    /// A deadline that moves away costs nothing: the timer fires at the former one, finds nothing
    /// due, and is armed anew.
    mutating func arm(_ socket: inout Socket, at deadline: Instant) {
        guard deadline < socket.armedAt else { return }
        socket.armedAt = deadline
        wheel.arm(socket.timer, at: deadline)
    }

    /// Notes that the socket's timer has fired.
    func fired(_ socket: inout Socket) {
        socket.armedAt = .never
    }

    /// Makes a timer that belongs to no socket.
    mutating func makeTimer(token: Token) -> TimerID {
        wheel.makeTimer(owner: token)
    }

    /// Disarms a timer that belongs to no socket.
    mutating func disarm(_ timer: TimerID) {
        wheel.disarm(timer)
    }

    /// Arms a timer that belongs to no socket.
    mutating func arm(_ timer: TimerID, at deadline: Instant) {
        wheel.arm(timer, at: deadline)
    }
}
