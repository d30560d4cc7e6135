/// The words of a command to the broker.
struct BrokerArguments {
    private let words: [[UInt8]]

    /// Copies the words out of the buffer.
    init(_ arguments: [Range<Int>], of bytes: Span<UInt8>) {
        words = arguments.map { range in
            var word: [UInt8] = []
            word.reserveCapacity(range.count)
            for index in range { word.append(bytes[index]) }
            return word
        }
    }

    var count: Int { words.count }

    func bytes(_ index: Int) -> [UInt8] { words[index] }

    func text(_ index: Int) -> String { String(decoding: words[index], as: UTF8.self) }

    func upper(_ index: Int) -> String { text(index).uppercased() }

    func lower(_ index: Int) -> String { text(index).lowercased() }
}
