package import RESP

/// A value as a plain tree.
package indirect enum ReferenceValue: Equatable, Sendable {
    case simpleString([UInt8])
    case simpleError([UInt8])
    case integer(Int)
    case bulkString([UInt8])
    case null
    case boolean(Bool)
    /// The bits of a double.
    case double(UInt64)
    case bigNumber([UInt8])
    case bulkError([UInt8])
    case verbatimString(format: String, [UInt8])
    case array([ReferenceValue])
    /// Keys and values in turn.
    case map([ReferenceValue])
    case set([ReferenceValue])
    case push([ReferenceValue])
    /// Keys and values in turn, and the value that they are about.
    case attributed([ReferenceValue], ReferenceValue)

    /// The tree that the public accessors of a value show.
    package init(_ value: RESPValue) {
        self = value.attributes.reversed().reduce(Self.plain(value)) { inner, attribute in
            .attributed(attribute.children.map { ReferenceValue($0) }, inner)
        }
    }

    private static func plain(_ value: RESPValue) -> ReferenceValue {
        let content = value.bytes.map { Array($0) } ?? []
        let children = value.children.map { ReferenceValue($0) }
        return switch value.kind {
        case .simpleString: .simpleString(content)
        case .simpleError: .simpleError(content)
        case .integer: .integer(value.integer ?? 0)
        case .bulkString: .bulkString(content)
        case .null: .null
        case .boolean: .boolean(value.boolean ?? false)
        case .double: .double(value.double?.bitPattern ?? 0)
        case .bigNumber: .bigNumber(content)
        case .bulkError: .bulkError(content)
        case .verbatimString: .verbatimString(format: value.verbatimFormat ?? "", content)
        case .array: .array(children)
        case .map: .map(children)
        case .set: .set(children)
        case .push: .push(children)
        case .attribute: .attributed(children, .null)
        }
    }
}
