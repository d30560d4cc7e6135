import Logging
import RESP

// Connections to Redis: through the gate, in a race of addresses, up to the first that is made.
extension LinkShell where S: ~Copyable {
    /// The shortest time between two looks at the files of passwords and URL.
    static var refreshInterval: Nanoseconds { .seconds(1) }

    /// Lets waiting links dial, as far as the gate allows.
    ///
    /// `absent` says which loops stand still, and are not waited for.
    mutating func openGate(absent: [Bool], _ context: inout LoopContext<S>) {
        while let id = gate.next(
            at: context.loop.boot, absent: absent,
            isWanted: { link in
                guard entries.contains(link), entries[link].machine.state == .waiting else {
                    return false
                }
                guard !entries[link].machine.isProbe, let node = entries[link].node else {
                    return true
                }
                return cluster.dials.admits(link, to: node)
            })
        {
            refreshAccess(&context)
            entries[id].isDialing = true
            if let node = entries[id].node { cluster.dials.began(at: node) }
            if entries[id].machine.dials > 0, !entries[id].machine.isProbe {
                context.metrics.redisReconnects += 1
                context.metrics.redisReconnectsByCause[entries[id].lastCause, default: 0] += 1
            }
            let action = entries[id].machine.begin(
                configuration: context.configuration, firstSentinel: firstSentinel,
                nodes: nodes(for: id, context), now: context.loop.now)
            perform(action, on: id, &context)
            if contains(id) { arm(id, &context) }
        }
        if let wait = gate.nextWait(at: context.loop.boot, absent: absent) {
            context.loop.arm(gateTimer, at: context.loop.now + wait)
        }
    }

    /// The link's dial is decided, well or badly: another may take its place at the gate.
    mutating func endDial(_ id: SlotID) {
        guard entries[id].isDialing else { return }
        entries[id].isDialing = false
        gate.finished()
        endNodeDial(id)
    }

    /// The look-up of a link's host has ended.
    mutating func resolved(
        _ id: SlotID, _ resolution: Resolution, _ context: inout LoopContext<S>
    ) {
        guard contains(id) else { return }
        let action = entries[id].machine.resolved(
            resolution, history: history, now: context.loop.now)
        perform(action, on: id, &context)
        if contains(id) { arm(id, &context) }
    }

    // MARK: - The race of addresses

    /// Begins a connection for a link, beside those that are begun; returns why it cannot.
    mutating func beginDial(
        to address: SocketAddress, for id: SlotID, _ context: inout LoopContext<S>
    ) -> SystemError? {
        // That of a Sentinel, or of a server that is to be asked otherwise.
        if entries[id].socket.isOpen { disconnect(id, reset: true, &context) }
        let attempt = attempts.insert { _ in DialAttempt(link: id, address: address) }
        do throws(SystemError) {
            attempts[attempt].descriptor = try context.loop.beginDial(
                address, keepAlive: KeepAlive(context.settings), token: Token(.dial, attempt))
        } catch {
            attempts.remove(attempt)
            return error
        }
        entries[id].attempts.append(attempt)
        return nil
    }

    /// A connection that was begun has been made, or has failed.
    mutating func decideDial(_ id: SlotID, _ context: inout LoopContext<S>) {
        guard attempts.contains(id) else { return }
        let attempt = attempts[id]
        let link = attempt.link
        attempts.remove(id)
        entries[link].attempts.removeAll { $0 == id }
        if let error = context.loop.sys.dialError(attempt.descriptor) {
            context.loop.abandon(dialed: attempt.descriptor)
            let action = entries[link].machine.dialFailed(error, now: context.loop.now)
            perform(action, on: link, &context)
        } else {
            abandonAttempts(of: link, &context)
            context.loop.adopt(dialed: attempt.descriptor, in: &entries[link].socket)
            encoder.removeAll()
            let action = entries[link].machine.connected(
                to: attempt.address,
                hello: history.hello(of: attempt.address, now: context.loop.now),
                now: context.loop.now,
                output: &encoder)
            sendEncoded(on: link, &context)
            perform(action, on: link, &context)
        }
        if contains(link) { arm(link, &context) }
    }

    /// Closes the connections of a link that are begun and not decided.
    mutating func abandonAttempts(of id: SlotID, _ context: inout LoopContext<S>) {
        for attempt in entries[id].attempts {
            context.loop.abandon(dialed: attempts[attempt].descriptor)
            attempts.remove(attempt)
        }
        entries[id].attempts.removeAll()
    }

    // MARK: - Passwords and URL from files

    /// Takes up what the files of passwords and URL say by now, for connections to come.
    private mutating func refreshAccess(_ context: inout LoopContext<S>) {
        guard let refresh = context.options.refreshRedis,
            context.loop.now >= nextRefresh ?? context.loop.now
        else {
            return
        }
        nextRefresh = context.loop.now + Self.refreshInterval
        switch refresh() {
        case .unchanged: break
        case .changed(let access) where access.redis.usesTLS && tls == nil:
            logRefusal("the URL asks for TLS, which takes a restart", context)
        case .changed(let access) where access.redis.isCluster != context.isCluster:
            logRefusal("the URL is that of a cluster or no more, which takes a restart", context)
        case .changed(let access):
            guard access != RedisAccess(context.settings) else { return }
            takeUp(access, &context)
            guard context.place.share.note(access) else { return }
            context.tellLoops(.credentials(access))
            context.log.redis.info(
                "redis credentials have changed and are in force for new connections",
                metadata: ["redis": "\(access.redis)"])
        case .refused(let reason): logRefusal(reason, context)
        }
    }

    /// Uses what the files of passwords and URL say for connections to come.
    mutating func takeUp(_ access: RedisAccess, _ context: inout LoopContext<S>) {
        context.configuration = SharedSettings(access.applied(to: context.settings))
        trace?.mask(access.secrets)
    }

    private mutating func logRefusal(_ reason: String, _ context: borrowing LoopContext<S>) {
        guard case .logged = refreshLogLimit.admit(at: context.loop.now) else { return }
        context.log.redis.warning(
            "redis credentials cannot be read again; the former ones stay in force",
            metadata: ["error": "\(reason)"])
    }
}
