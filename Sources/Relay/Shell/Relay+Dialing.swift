import Logging
import RESP

// Connections to Redis: through the gate, in a race of addresses, up to the first that is made.
extension Relay where S: ~Copyable {
    /// The shortest time between two looks at the files of passwords and URL.
    static var refreshInterval: Nanoseconds { .seconds(1) }

    /// Lets waiting links dial, as far as the gate allows.
    mutating func openGate() {
        guard gate.isWaiting else { return }
        while let id = gate.next(
            at: loop.boot, absent: watch.absent,
            isWanted: { links.contains($0) && links[$0].machine.state == .waiting })
        {
            refreshAccess()
            links[id].isDialing = true
            if links[id].machine.dials > 0, links[id].machine.purpose != .probe {
                metrics.redisReconnects += 1
                metrics.redisReconnectsByCause[links[id].lastCause, default: 0] += 1
            }
            let action = links[id].machine.begin(
                configuration: configuration, firstSentinel: firstSentinel, now: loop.now)
            perform(action, on: id)
            if links.contains(id) { arm(link: id) }
        }
        if let wait = gate.nextWait(at: loop.boot, absent: watch.absent) {
            loop.arm(gateTimer, at: loop.now + wait)
        }
    }

    /// The link's dial is decided, well or badly: another may take its place at the gate.
    mutating func endDial(_ id: SlotID) {
        guard links[id].isDialing else { return }
        links[id].isDialing = false
        gate.finished()
    }

    /// The look-up of a link's host has ended.
    mutating func linkResolved(_ id: SlotID, _ resolution: Resolution) {
        let action = links[id].machine.resolved(resolution, history: history, now: loop.now)
        perform(action, on: id)
        if links.contains(id) { arm(link: id) }
    }

    // MARK: - The race of addresses

    /// Begins a connection for a link, beside those that are begun; returns why it cannot.
    mutating func beginDial(to address: SocketAddress, for id: SlotID) -> SystemError? {
        // That of a Sentinel, or of a server that is to be asked otherwise.
        if links[id].socket.isOpen { disconnectLink(id, reset: true) }
        let attempt = attempts.insert { _ in DialAttempt(link: id, address: address) }
        do throws(SystemError) {
            attempts[attempt].descriptor = try loop.beginDial(
                address, keepAlive: KeepAlive(settings), token: Token(.dial, attempt))
        } catch {
            attempts.remove(attempt)
            return error
        }
        links[id].attempts.append(attempt)
        return nil
    }

    /// A connection that was begun has been made, or has failed.
    mutating func decideDial(_ id: SlotID) {
        guard attempts.contains(id) else { return }
        let attempt = attempts[id]
        let link = attempt.link
        attempts.remove(id)
        links[link].attempts.removeAll { $0 == id }
        if let error = loop.sys.dialError(attempt.descriptor) {
            loop.abandon(dialed: attempt.descriptor)
            perform(links[link].machine.dialFailed(error, now: loop.now), on: link)
        } else {
            abandonAttempts(of: link)
            loop.adopt(dialed: attempt.descriptor, in: &links[link].socket)
            encoder.removeAll()
            let action = links[link].machine.connected(
                to: attempt.address,
                hello: history.hello(of: attempt.address, now: loop.now), now: loop.now,
                output: &encoder)
            sendEncoded(on: link)
            perform(action, on: link)
        }
        if links.contains(link) { arm(link: link) }
    }

    /// Closes the connections of a link that are begun and not decided.
    mutating func abandonAttempts(of id: SlotID) {
        for attempt in links[id].attempts {
            loop.abandon(dialed: attempts[attempt].descriptor)
            attempts.remove(attempt)
        }
        links[id].attempts.removeAll()
    }

    // MARK: - Passwords and URL from files

    /// Takes up what the files of passwords and URL say by now, for connections to come.
    private mutating func refreshAccess() {
        guard let refresh = options.refreshRedis, loop.now >= nextRefresh ?? loop.now else {
            return
        }
        nextRefresh = loop.now + Self.refreshInterval
        switch refresh() {
        case .unchanged: break
        case .changed(let access) where access.redis.usesTLS && tls == nil:
            logRefusal("the URL asks for TLS, which takes a restart")
        case .changed(let access):
            guard access != RedisAccess(settings) else { return }
            takeUp(access)
            guard place.share.note(access) else { return }
            tellLoops(.credentials(access))
            log.redis.info(
                "redis credentials have changed and are in force for new connections",
                metadata: ["redis": "\(access.redis)"])
        case .refused(let reason): logRefusal(reason)
        }
    }

    /// Uses what the files of passwords and URL say for connections to come.
    mutating func takeUp(_ access: RedisAccess) {
        configuration = SharedSettings(access.applied(to: settings))
        trace?.mask(access.secrets)
    }

    private mutating func logRefusal(_ reason: String) {
        guard case .logged = refreshLogLimit.admit(at: loop.now) else { return }
        log.redis.warning(
            "redis credentials cannot be read again; the former ones stay in force",
            metadata: ["error": "\(reason)"])
    }
}
