import COpenSSL
import Glibc

/// The bytes that one turn moves between OpenSSL and the event loop; all sessions share it.
///
/// OpenSSL reads and writes through a BIO of our own on these two buffers. Its own memory BIOs would
/// keep, for each connection, as much memory as its largest read has taken.
@safe final class TLSWire {
    /// Ciphertext from the peer; what is before `position` has been taken by OpenSSL.
    private var input: [UInt8]
    private var position = 0
    private var end = 0
    /// Ciphertext for the peer.
    private(set) var output: [UInt8] = []

    private let method: OpaquePointer

    /// Makes the buffers; reads bring `readSize` bytes at most.
    init(readSize: Int) {
        input = Array(repeating: 0, count: readSize)
        guard
            let method = unsafe BIO_meth_new(
                BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "status2 event loop")
        else { preconditionFailure("OpenSSL has no memory for a BIO method") }
        unsafe self.method = unsafe method
        unsafe BIO_meth_set_read_ex(method) { bio, target, room, count in
            guard let bio = unsafe bio, let target = unsafe target, let count = unsafe count else {
                return 0
            }
            unsafe status2_bio_clear_retry(bio)
            unsafe count.pointee = unsafe TLSWire.of(bio).copyInput(to: target, room: room)
            guard unsafe count.pointee == 0 else { return 1 }
            unsafe status2_bio_set_retry_read(bio)
            return 0
        }
        unsafe BIO_meth_set_write_ex(method) { bio, source, length, count in
            guard let bio = unsafe bio, let source = unsafe source, let count = unsafe count else {
                return 0
            }
            unsafe status2_bio_clear_retry(bio)
            unsafe TLSWire.of(bio).output.append(
                contentsOf: UnsafeRawBufferPointer(start: source, count: length))
            unsafe count.pointee = length
            return 1
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
    }

    deinit { unsafe BIO_meth_free(method) }

    /// Makes a BIO on these buffers, which must outlive it; nil when there is no memory.
    func makeBIO() -> OpaquePointer? {
        guard let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    /// Takes the `count` bytes just read into `buffer`, which becomes another one of its size.
    func take(_ buffer: inout [UInt8], count: Int) {
        swap(&input, &buffer)
        position = 0
        end = count
    }

    /// Forgets what has been sent or could not be used.
    func clear() {
        output.removeAll(keepingCapacity: true)
        position = 0
        end = 0
    }

    /// Forgets the output, which has been queued.
    func clearOutput() {
        output.removeAll(keepingCapacity: true)
    }

    private static func of(_ bio: OpaquePointer) -> TLSWire {
        guard let data = unsafe BIO_get_data(bio) else {
            preconditionFailure("a BIO without its buffers")
        }
        return unsafe Unmanaged<TLSWire>.fromOpaque(data).takeUnretainedValue()
    }

    private func copyInput(to target: UnsafeMutablePointer<CChar>, room: Int) -> Int {
        let count = min(room, end - position)
        guard count > 0 else { return 0 }
        unsafe input.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            _ = unsafe memcpy(target, start + position, count)
        }
        position += count
        return count
    }
}
