/// An HTML page with places for values: `{{name}}` in its text, and the nonce in each `<script` and
/// `<style` tag.
struct TextTemplate: Sendable {
    private enum Piece {
        case text([UInt8])
        case nonce
        case value(String)
    }

    private let pieces: [Piece]

    /// Takes a page apart; the values of `fixed` are put in at once, as they are.
    init(_ page: [UInt8], fixed: [String: [UInt8]]) {
        var pieces: [Piece] = []
        var rest = page[...]
        var text: [UInt8] = []
        while let byte = rest.first {
            if let tag = TextTemplate.tags.first(where: { rest.starts(with: $0) }) {
                pieces += [.text(text + tag), .nonce]
                text = []
                rest = rest.dropFirst(tag.count)
            } else if let name = TextTemplate.name(rest) {
                if let value = fixed[name] {
                    text += value
                } else {
                    pieces += [.text(text), .value(name)]
                    text = []
                }
                rest = rest.dropFirst(name.utf8.count + 4)
            } else {
                text.append(byte)
                rest = rest.dropFirst()
            }
        }
        self.pieces = pieces + [.text(text)]
    }

    private static let tags = [Array("<script".utf8), Array("<style".utf8)]

    /// The name in `{{name}}` at the beginning of `text`.
    private static func name(_ text: ArraySlice<UInt8>) -> String? {
        guard text.starts(with: Array("{{".utf8)) else { return nil }
        let name = text.dropFirst(2).prefix {
            $0 == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
        }
        guard !name.isEmpty, text[name.endIndex...].starts(with: Array("}}".utf8)) else {
            return nil
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// The page with the nonce and the values, which are escaped as text of HTML; one that is missing
    /// is empty.
    func text(nonce: String, values: [String: String]) -> [UInt8] {
        var page: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .text(let text): page += text
            case .nonce: page += " nonce=\"\(nonce)\"".utf8
            case .value(let name): page += TextTemplate.escaped(values[name] ?? "")
            }
        }
        return page
    }

    /// A text as it stands in HTML, in a quoted attribute too.
    static func escaped(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            default: bytes.append(byte)
            }
        }
        return bytes
    }
}
