import CLinux
import Glibc

/// Reads what the process takes of its machine.
struct ProcessMeter: Sendable {
    private let startedAtUnixTime = WallClock.unixTime()

    /// Reads the process's figures; one that the system does not tell is zero.
    func read() -> ProcessUsage {
        ProcessUsage(
            processorTime: Self.processorTime, residentBytes: Self.residentBytes,
            openDescriptors: Self.openDescriptors, descriptorLimit: Self.descriptorLimit,
            startedAtUnixTime: startedAtUnixTime)
    }

    private static var processorTime: Nanoseconds {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .zero }
        return .seconds(Int64(time.tv_sec)) + Nanoseconds(Int64(time.tv_nsec))
    }

    /// The second number of `/proc/self/statm`, in pages.
    private static var residentBytes: Int {
        let descriptor = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { _ = close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        let numbers = String(decoding: bytes[..<count], as: UTF8.self).split(separator: " ")
        guard numbers.count > 1, let pages = Int(numbers[1]) else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static var descriptorLimit: Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 0
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Since Linux 6.2 the size of the directory is the number of its entries (proc(5)); before, the
    /// entries are counted.
    private static var openDescriptors: Int {
        var status = stat()
        guard unsafe stat("/proc/self/fd", &status) == 0 else { return 0 }
        if status.st_size > 0 { return Int(status.st_size) }
        guard let directory = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(directory) }
        // Besides `.`, `..` and the descriptor of the directory itself.
        var count = -3
        while unsafe readdir(directory) != nil { count += 1 }
        return max(0, count)
    }
}
