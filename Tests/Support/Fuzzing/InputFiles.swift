import Glibc

/// Files of inputs: the seeds and the findings of the fuzz harnesses.
package enum InputFiles {
    /// The seeds and the findings of a folder of `Fuzz`, found from this file's place.
    package static func seeds(_ folder: String) -> [(name: String, bytes: [UInt8])] {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        return ["corpus", "crashes"].flatMap { contents(of: "/\(root)/Fuzz/\(folder)/\($0)") }
    }

    /// The contents of a file, or of every file in a folder in the order of their names.
    ///
    /// What cannot be read is left out.
    package static func contents(of path: String) -> [(name: String, bytes: [UInt8])] {
        guard let names = names(in: path) else {
            return bytes(of: path).map { [(path, $0)] } ?? []
        }
        return names.compactMap { name in
            bytes(of: "\(path)/\(name)").map { (name, $0) }
        }
    }

    private static func names(in folder: String) -> [String]? {
        guard let directory = unsafe opendir(folder) else { return nil }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe UnsafeRawPointer(tuple).withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    private static func bytes(of path: String) -> [UInt8]? {
        guard let file = unsafe fopen(path, "r") else { return nil }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&block, 1, block.count, file)
            if count == 0 { return unsafe ferror(file) == 0 ? bytes : nil }
            bytes += block[..<count]
        }
    }
}
