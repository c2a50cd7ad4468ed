import Foundation

/// An HTTP answer as a test looks at it.
struct Answer: Sendable {
    var status: Int
    /// By name in lower case.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON.
    var json: JSON {
        get throws { JSON(try JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed)) }
    }

    /// The data of each server-sent event but comments.
    var events: [String] {
        text.components(separatedBy: "\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
    }

    /// The ids of events, in order.
    var eventIDs: [String] {
        text.components(separatedBy: "\n").filter { $0.hasPrefix("id: ") }.map { String($0.dropFirst(4)) }
    }

    /// The data of each event as JSON, without the closing `[DONE]`.
    var chunks: [JSON] {
        get throws {
            try events.filter { $0 != "[DONE]" }.map {
                JSON(try JSONSerialization.jsonObject(with: Data($0.utf8)))
            }
        }
    }
}

/// Reads into parsed JSON by keys and indices; what is not there is nil.
@dynamicMemberLookup
struct JSON {
    let value: Any?

    init(_ value: Any?) { self.value = value }

    subscript(_ key: String) -> JSON { JSON((value as? [String: Any])?[key]) }
    subscript(_ index: Int) -> JSON {
        guard let array = value as? [Any], array.indices.contains(index) else { return JSON(nil) }
        return JSON(array[index])
    }
    subscript(dynamicMember key: String) -> JSON { self[key] }

    var string: String? { value as? String }
    var int: Int? { (value as? NSNumber)?.intValue }
    var double: Double? { (value as? NSNumber)?.doubleValue }
    var array: [JSON] { (value as? [Any] ?? []).map(JSON.init) }
    var strings: [String] { array.compactMap(\.string) }
    var ints: [Int] { array.compactMap(\.int) }
    var isNull: Bool { value is NSNull }
    var isAbsent: Bool { value == nil }
}
