@testable import Relay
import Testing

/// What a page and a link take of the daemon's memory while they are quiet: a record each, and no
/// buffers. A record that grows makes an idle page dearer (docs/scaling.md).
@Suite struct RecordSizeTests {
    @Test func aPageFitsItsBudget() {
        #expect(MemoryLayout<ClientEntry>.stride <= 576)
    }

    @Test func aLinkFitsItsBudget() {
        #expect(MemoryLayout<LinkEntry>.stride <= 688)
    }

    @Test func aQuietSocketHasNoBuffers() {
        #expect(MemoryLayout<Socket>.stride <= 160)
        #expect(OutputQueue().isEmpty && InputBuffer().count == 0)
    }
}
