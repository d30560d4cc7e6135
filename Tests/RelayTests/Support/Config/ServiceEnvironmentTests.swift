import Testing

@testable import Relay

/// What the variables of a service manager mean (sd_notify(3), sd_listen_fds(3)).
@Suite struct ServiceEnvironmentTests {
    private static func read(_ environment: [String: String]) -> ServiceEnvironment {
        ServiceEnvironment(environment, processID: 42)
    }

    @Test func withoutVariablesThereIsNoManager() {
        #expect(Self.read([:]) == ServiceEnvironment())
    }

    @Test(arguments: ["/run/systemd/notify", "@/org/freedesktop/notify"])
    func noticesGoToAPathOrAnAbstractName(socket: String) {
        #expect(Self.read(["NOTIFY_SOCKET": socket]).notifySocket == socket)
    }

    @Test func anotherAddressIsWarnedOf() {
        let read = Self.read(["NOTIFY_SOCKET": "vsock:2:1234"])
        #expect(read.notifySocket == nil)
        #expect(read.warnings.count == 1)
    }

    @Test(arguments: [
        (["WATCHDOG_USEC": "15000000"], Nanoseconds.seconds(15)),
        (["WATCHDOG_USEC": "500", "WATCHDOG_PID": "42"], Nanoseconds(500_000)),
    ])
    func theWatchdogHasASpan(variables: [String: String], span: Nanoseconds) {
        #expect(Self.read(variables).watchdogInterval == span)
    }

    @Test(arguments: [
        ["WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "41"], ["WATCHDOG_USEC": "0"],
        ["WATCHDOG_USEC": "-1"], ["WATCHDOG_USEC": "+5"], ["WATCHDOG_USEC": ""],
        ["WATCHDOG_USEC": "99999999999999999999"], ["WATCHDOG_USEC": "9223372036854775807"],
    ])
    func whatIsNoSpanOrForAnotherProcessIsNone(variables: [String: String]) {
        #expect(Self.read(variables).watchdogInterval == nil)
    }

    @Test func socketsAreForTheProcessThatIsNamed() {
        #expect(Self.read(["LISTEN_PID": "42", "LISTEN_FDS": "2"]).socketCount == 2)
        #expect(Self.read(["LISTEN_PID": "41", "LISTEN_FDS": "2"]).socketCount == 0)
        #expect(Self.read(["LISTEN_FDS": "2"]).socketCount == 0)
        #expect(Self.read(["LISTEN_PID": "42"]).socketCount == 0)
    }
}

/// What a service manager is told.
@Suite struct ServiceNoticeTests {
    @Test(arguments: [
        (ServiceNotice.status("Serving 3 pages"), "STATUS=Serving 3 pages"),
        (.ready("Serving"), "READY=1\nSTATUS=Serving"),
        (.reloading, "RELOADING=1\nMONOTONIC_USEC=77"),
        (
            .stopping("Going down", atMost: .milliseconds(20_500)),
            "STOPPING=1\nSTATUS=Going down\nEXTEND_TIMEOUT_USEC=20500000"
        ),
        (.watchdog, "WATCHDOG=1"),
    ])
    func itIsAssignments(notice: ServiceNotice, text: String) {
        #expect(notice.text(monotonicMicroseconds: 77) == text)
    }

    @Test(arguments: ["a\nWATCHDOG=1", "a\r\nWATCHDOG=1", "a\u{2028}b"])
    func wordsAreNoAssignments(words: String) {
        let text = ServiceNotice.status(words).text(monotonicMicroseconds: 0)
        #expect(text.split(whereSeparator: \.isNewline).count == 1)
    }
}
