// What the machine allows: descriptors, the backlog, local ports.
extension Doctor {
    /// The backlog that the daemon asks for.
    private static let wantedBacklog = 4096
    /// Pages below which a limit of descriptors is called low.
    private static let fewPages = 1000

    /// The WebSockets that may be open at once.
    var pageLimit: Int {
        let fitting = fittingPages(HostProcess.descriptorLimit())
        return settings.maxConnections == 0 ? fitting : min(settings.maxConnections, fitting)
    }

    private func fittingPages(_ descriptors: Int) -> Int {
        let cores = min(HostProcess.processors(), Settings.loopLimit)
        return HostProcess.connectionLimit(
            descriptors: descriptors, loops: settings.loops == 0 ? cores : settings.loops,
            links: settings.redisSubscriptions)
    }

    /// The links to Redis that so many pages have.
    var linkLimit: Int { settings.redisSubscriptions == .dedicated ? pageLimit : 1 }

    mutating func examineMachine() {
        examineDescriptors()
        if let backlog = Self.numbers(in: "/proc/sys/net/core/somaxconn").first {
            if backlog < Self.wantedBacklog {
                note(
                    "backlog", .warn, "the kernel keeps \(backlog) connections for accept",
                    "a rush of pages is refused: sysctl net.core.somaxconn=\(Self.wantedBacklog)")
            } else {
                note("backlog", .ok, "the kernel keeps up to \(backlog) connections for accept")
            }
        } else {
            note("backlog", .unknown, "not to be read here", "look at net.core.somaxconn")
        }
        examinePorts()
    }

    private mutating func examineDescriptors() {
        let descriptors = HostProcess.descriptorLimit()
        let fitting = fittingPages(descriptors)
        let text = "\(descriptors) descriptors have room for \(fitting) pages"
        let advice =
            "raise LimitNOFILE= of the unit, or ulimits: nofile of the container, to"
            + (settings.redisSubscriptions == .dedicated
                ? " two for each page and 128 more" : " one for each page and 400 more")
        if settings.maxConnections > fitting {
            note(
                "descriptors", .fail,
                "\(text), and STATUS_MAX_CONNECTIONS is"
                    + " \(settings.maxConnections)", advice)
        } else if settings.maxConnections == 0, fitting < Self.fewPages {
            note("descriptors", .warn, text, advice)
        } else {
            note("descriptors", .ok, text)
        }
    }

    private mutating func examinePorts() {
        if case .unix = settings.redis.address {
            return note("local ports", .ok, "links to Redis take none")
        }
        guard settings.redisSubscriptions == .dedicated else {
            return note("local ports", .ok, "links to Redis take no more than a few")
        }
        let range = Self.numbers(in: "/proc/sys/net/ipv4/ip_local_port_range")
        guard range.count == 2, range[1] >= range[0] else {
            note(
                "local ports", .unknown, "not to be read here",
                "look at net.ipv4.ip_local_port_range: each page takes a port to Redis")
            return
        }
        let count = range[1] - range[0] + 1
        if count < linkLimit {
            note(
                "local ports", .warn, "\(count) ports for the links of \(pageLimit) pages",
                "sysctl net.ipv4.ip_local_port_range=\"10000 65000\", or"
                    + " STATUS_REDIS_SUBSCRIPTIONS=shared")
        } else {
            note("local ports", .ok, "\(count) ports for the links of \(pageLimit) pages")
        }
    }

    /// The numbers in a file of the kernel; none where it cannot be read.
    private static func numbers(in path: String) -> [Int] {
        do throws(SecretFile.ReadError) {
            let bytes = try HostFile.read(path, limit: 256)
            return String(decoding: bytes, as: UTF8.self)
                .split { $0 == " " || $0 == "\t" || $0 == "\n" }.compactMap { Int($0) }
        } catch {
            return []
        }
    }
}
