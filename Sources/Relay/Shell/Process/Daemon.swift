import Logging

/// The running service.
public enum Daemon {
    /// The longest wait for the last log lines to be written.
    private static let drainLimit = Nanoseconds.seconds(1)
    /// The same where the process is to end at once.
    private static let hastyDrainLimit = Nanoseconds.milliseconds(50)

    /// Runs until a signal ends it.
    ///
    /// - Parameters:
    ///   - options: what to run with.
    ///   - announce: where lines for a person go, who has started the embedded broker.
    /// - Returns: nil after a clean shutdown, else the one line that says why it could not go on.
    public static func run(
        _ options: DaemonOptions, announce: (String) -> Void
    ) -> String? {
        do throws(SystemError) {
            return try serve(options, announce)
        } catch {
            return "cannot set up the event loop: \(error.reason)"
        }
    }

    private static func serve(
        _ options: DaemonOptions, _ announce: (String) -> Void
    ) throws(SystemError) -> String? {
        let signals = HostProcess.shutdownSignals
        HostProcess.ignoreBrokenPipes()
        HostProcess.ignoreMeaninglessSignals()
        // Threads have them blocked from their start on; this one has to before any is started.
        let others = HostProcess.otherSignals()
        HostProcess.block(signals + others)
        let meter = ProcessMeter()
        let descriptors = HostProcess.raiseDescriptorLimit()
        if let refusal = options.service.refusal { return refusal }
        let writer = try LogWriter()
        let log = RelayLog { label in
            JSONLogHandler(
                label: label, level: options.settings.logLevel, sink: writer,
                now: WallClock.unixTime)
        }
        let tracing = TraceWriter(options.trace)
        if let file = options.trace.file {
            // A file that cannot be written is told of now, not when the trace is switched on.
            do throws(SystemError) {
                _ = try tracing.open()
            } catch {
                return "cannot write the trace file \(file.path): \(error.reason)"
            }
        }
        var settings = options.settings
        let loopCount = settings.loops
        if loopCount == 0 {
            settings.loops = min(HostProcess.processors(), Settings.loopLimit)
        }
        let most = HostProcess.connectionLimit(
            descriptors: descriptors, loops: settings.loops,
            links: settings.redisSubscriptions)
        let limit = settings.maxConnections == 0 ? most : min(settings.maxConnections, most)
        logStart(options, log, descriptors: descriptors, limit: limit, loops: settings.loops)
        let tls: TLSContext?
        do throws(TLSFileError) {
            tls = try tlsContext(settings)
        } catch {
            return "\(error)"
        }
        let canary = settings.canaryInterval > .zero ? Canary() : nil
        let access = AccessSource(options.redisReload)
        let loops = try LoopGroup(
            settings,
            options: RelayOptions(
                embeddedBroker: options.embeddedBroker, connectionLimit: limit,
                mostConnections: most,
                clientLimit: HostProcess.clientLimit(
                    descriptors: descriptors, webSockets: limit, loops: settings.loops,
                    links: settings.redisSubscriptions),
                release: options.release, droppedLogLines: { writer.dropped },
                service: serviceOptions(options.service),
                processUsage: meter.read,
                trace: options.trace, openTrace: tracing.open,
                droppedTraceLines: { tracing.dropped }, unixTime: WallClock.unixTime,
                refreshRedis: access.read, canary: canary,
                reload: access.renewing(options.reload), loopSetting: loopCount,
                onShutdown: {
                    HostProcess.endAtNext(signals)
                    canary?.stop()
                },
                onSecondSignal: { number in
                    writer.drain(atMost: hastyDrainLimit)
                    HostProcess.end(bySignal: number)
                }),
            log: log)
        var relay = try loops.makeFirst(
            settings, signals: signals + others, inherited: options.service.socket, tls: tls)
        relay.start()
        if options.embeddedBroker != nil, let address = relay.boundAddress {
            announce(guide(relay.settings, at: address))
        }
        if let canary, let address = relay.boundAddress {
            start(canary, relay.settings, at: address, access, log)
        }
        let fatal = loops.run(relay, makeTLS: tlsContext)
        tracing.drain(atMost: drainLimit)
        writer.drain(atMost: drainLimit)
        return fatal
    }

    private static func serviceOptions(_ service: ServiceEnvironment) -> ServiceOptions {
        var options = ServiceOptions(watchdogInterval: service.watchdogInterval)
        if let manager = service.notifySocket.flatMap(ServiceManager.init(at:)) {
            options.tell = { manager.tell($0) }
        }
        return options
    }

    /// Lets the canary fly in a thread of its own.
    private static func start(
        _ canary: Canary, _ settings: Settings, at address: SocketAddress,
        _ access: AccessSource, _ log: RelayLog
    ) {
        // What a service manager has handed over counts, whatever the settings say.
        let host = address.hostDescription
        let bound =
            host.isEmpty
            ? ListenAddress.unix(path: address.description)
            : .tcp(host: host, port: address.port)
        let listener = HealthCheck.targets(of: bound)[0]
        let flight = CanaryFlight(
            canary, address: listener, interval: settings.canaryInterval, log: log.server
        ) {
            guard case .changed(let present) = access.read() else { return settings }
            return present.applied(to: settings)
        }
        if !Thread.start({ flight.run() }) {
            log.server.error("there is no thread for the canary")
        }
    }

    @Sendable private static func tlsContext(
        _ settings: Settings
    ) throws(TLSFileError) -> TLSContext? {
        guard settings.redis.usesTLS else { return nil }
        return try TLSContext(settings.redisTLS, readSize: EventLoop<LinuxSys>.readSize)
    }

    private static func logStart(
        _ options: DaemonOptions, _ log: RelayLog, descriptors: Int, limit: Int, loops: Int
    ) {
        let settings = options.settings
        log.server.info(
            "starting status2",
            metadata: [
                "version": "\(options.release)", "listen": "\(settings.listenAddress)",
                "redis": "\(settings.redis)", "descriptors": .stringConvertible(descriptors),
                "max_connections": .stringConvertible(limit),
                "loops": .stringConvertible(loops),
            ])
        for warning in options.startupWarnings + options.service.warnings {
            log.server.warning("\(warning)")
        }
        if settings.maxConnections > limit {
            log.server.warning(
                "STATUS_MAX_CONNECTIONS is more than the limit of descriptors allows")
        }
        if settings.allowedOrigins.isEmpty {
            log.server.warning("\(Configuration.openToAll)")
        }
    }

    /// What a newcomer can do next.
    private static func guide(_ settings: Settings, at address: SocketAddress) -> String {
        let host = address.isLoopback ? address.hostDescription : "127.0.0.1"
        let authority = "\(host.contains(":") ? "[\(host)]" : host):\(address.port)"
        var broker = "redis-cli"
        if case .tcp(let name, let port) = settings.redis.address {
            broker += name == "127.0.0.1" ? " -p \(port)" : " -h \(name) -p \(port)"
        }
        if settings.redis.password != nil { broker += " --askpass" }
        var lines = ["", "  WebSocket   ws://\(authority)/demo:status"]
        if settings.consoleEnabled {
            lines.append("  Console     http://\(authority)/console#demo:status")
        }
        lines.append("  Publish     \(broker) PUBLISH demo:status 'hello'")
        return lines.joined(separator: "\n") + "\n\n"
    }
}
