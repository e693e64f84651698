# frozen_string_literal: true

require 'digest'

module ScaleliteSend
  # A recording on the disk of this server: the directories of its formats in
  # the trees of what is published and what is not.
  class Recording
    # What the load balancer takes for the name of a recording or a format.
    WORD = /\A[A-Za-z0-9_-]{1,200}\z/.freeze

    # The captions of a presentation. Those that somebody uploads to the load
    # balancer take their place there, and may be shorter.
    CAPTIONS = /\A(?:captions\.json|(?:captions?|subtitles)_[A-Za-z0-9_-]+\.vtt)\z/.freeze

    # One format: its name, its directory, and its files with their sizes, by
    # their path in the directory.
    Format = Struct.new(:name, :dir, :files, :skipped) do
      def bytes
        files.sum { |_, stat| stat.size }
      end

      # The bytes that the load balancer has at least.
      def lasting_bytes
        files.sum { |path, stat| name == 'presentation' && CAPTIONS.match?(path) ? 0 : stat.size }
      end
    end

    # A file has a name for which the load balancer would refuse the recording.
    class Misnamed < Error; end

    attr_reader :id, :formats

    # Whether a name on the disk can be that of a recording or a format.
    def self.word?(name)
      name.valid_encoding? && WORD.match?(name)
    end

    def self.find(id, trees)
      recording = new(id, trees)
      recording unless recording.formats.empty?
    end

    # The IDs of all recordings, those that began last first.
    def self.all(trees)
      ids = trees.flat_map { |tree| Dir.glob("#{tree}/*/*/metadata.xml").map { |path| File.basename(File.dirname(path)) } }
      ids.uniq.select { |id| word?(id) }.sort_by { |id| [-began(id), id] }
    end

    # The IDs of those of which a format was made or changed between two times.
    def self.changed(trees, from, to)
      paths = trees.flat_map { |tree| Dir.glob("#{tree}/*/*/metadata.xml") }
      paths.select { |path| changed_at(path)&.between?(from, to) }.map { |path| File.basename(File.dirname(path)) }.uniq.select { |id| word?(id) }
    end

    def self.changed_at(path)
      File.mtime(path)
    rescue Errno::ENOENT # went away meanwhile
      nil
    end
    private_class_method :changed_at

    # When a recording began, in milliseconds: the end of an ID tells.
    def self.began(id)
      id[/-(\d{13})(-|\z)/, 1].to_i
    end

    def initialize(id, trees)
      @id = id
      @formats = Recording.word?(id) ? trees.flat_map { |tree| formats_in(tree) }.uniq(&:name) : []
    end

    def bytes
      formats.sum(&:bytes)
    end

    # What is to be found at the load balancer, at least: files and bytes of each
    # format.
    def sums
      formats.map { |f| [f.name, [f.files.size, f.lasting_bytes]] }.to_h
    end

    # What tells the versions of each format apart: BBB writes a new metadata.xml
    # whenever it makes one anew.
    def stamps
      formats.map { |f| [f.name, Digest::SHA256.file("#{f.dir}/metadata.xml").hexdigest] }.to_h
    end

    # When it was last worked on.
    def touched
      formats.map { |f| File.stat("#{f.dir}/metadata.xml").mtime }.max
    end

    # Raises Misnamed unless the load balancer takes the name of every file.
    def check_names
      formats.each do |format|
        format.files.each_key do |path|
          fault = fault_of(ScaleliteSend.utf8(path))
          raise Misnamed, "#{ScaleliteSend.text("#{format.dir}/#{path}").gsub(/[[:cntrl:]]/, '?')} #{fault}; rename it" if fault
        end
      end
    end

    private

    def fault_of(name)
      return 'has a name that is not UTF-8' unless name.valid_encoding?

      'has a backslash or a control character in its name' if name.match?(/[\\[:cntrl:]]/)
    end

    # A format counts once its metadata.xml is there: before that it is being
    # published, and its own run of the hook follows.
    def formats_in(tree)
      Dir.glob("#{tree}/*/#{id}/metadata.xml").sort.map do |path|
        dir = File.dirname(path)
        name = File.basename(File.dirname(dir))
        next unless Recording.word?(name) && File.directory?(dir) && !File.symlink?(dir)

        scan(Format.new(name, dir, {}, []), '')
      end.compact
    end

    def scan(format, below)
      Dir.children("#{format.dir}/#{below}", encoding: 'BINARY').sort.each do |name|
        path = below.empty? ? name : "#{below}/#{name}"
        stat = File.lstat("#{format.dir}/#{path}")
        if stat.directory?
          scan(format, path)
        elsif stat.file?
          format.files[path] = stat
        else
          format.skipped << path
        end
      end
      format
    end
  end

  # A recording as a tar that is made while it is read, so that it needs no room
  # on the disk. Its size is known before: a receiver without room for it can
  # refuse it at once.
  class Tarball
    BLOCK = 512
    RECORD = 10_240
    # Beyond these a field of a ustar header needs an extended one.
    MAX_NAME = 100
    MAX_PREFIX = 155
    MAX_SIZE = 8**11

    # A file became another one while it was read.
    class Changed < Error; end

    # A file cannot be read, and not because of who is to get it.
    class NotRead < Error; end

    attr_reader :size, :position

    def initialize(recording)
      @parts = []
      @size = 0
      recording.formats.each do |format|
        format.files.each { |path, stat| add("#{format.name}/#{recording.id}/#{path}".b, "#{format.dir}/#{path}", stat) }
      end
      text("\0" * (2 * BLOCK + -(@size + 2 * BLOCK) % RECORD))
      @position = 0
    end

    # The form in which Net::HTTP and IO.copy_stream ask.
    def readpartial(length, into = +'')
      chunk = nil
      chunk = next_chunk(length) until @parts.empty? || chunk
      raise EOFError unless chunk

      @position += chunk.bytesize
      into.replace(chunk)
    end

    def read(length, into = +'')
      readpartial(length, into)
    rescue EOFError
      nil
    end

    def close
      @file&.close
      @parts.clear
    end

    private

    Content = Struct.new(:path, :stat, :left)

    def add(name, path, stat)
      text(extended(name, stat)) if name.bytesize > MAX_NAME && !split(name) || stat.size >= MAX_SIZE
      text(header(name, stat.size, mtime(stat), '0'))
      @parts << Content.new(path, stat, stat.size)
      @size += stat.size
      text("\0" * (-stat.size % BLOCK))
    end

    def text(bytes)
      @parts << bytes unless bytes.empty?
      @size += bytes.bytesize
    end

    # A header of POSIX's pax: whole names and sizes, as "LENGTH KEY=VALUE\n".
    def extended(name, stat)
      body = { 'path' => name, 'size' => stat.size.to_s }.map do |key, value|
        rest = " #{key}=".b + value.b + "\n"
        length = rest.bytesize
        length += 1 until length == length.to_s.bytesize + rest.bytesize
        length.to_s + rest
      end.join
      header('PaxHeaders/entry', body.bytesize, mtime(stat), 'x') + body + "\0" * (-body.bytesize % BLOCK)
    end

    def mtime(stat)
      [stat.mtime.to_i, 0].max
    end

    def split(name)
      at = name.index('/', [name.bytesize - MAX_NAME - 1, 0].max)
      [name.byteslice(0, at), name.byteslice(at + 1, name.bytesize)] if at && at <= MAX_PREFIX && at < name.bytesize - 1
    end

    def header(name, size, mtime, type)
      prefix, short = name.bytesize > MAX_NAME ? split(name) : ['', name]
      prefix, short = ['', name.byteslice(0, MAX_NAME)] unless short
      fields = [
        short, '0000644', '0000000', '0000000', format('%011o', size < MAX_SIZE ? size : 0), format('%011o', mtime),
        ' ' * 8, type, '', "ustar\0", '00', '', '', '', '', prefix
      ]
      bytes = fields.pack('a100 a8 a8 a8 a12 a12 a8 a1 a100 a6 a2 a32 a32 a8 a8 a155 x12')
      bytes[148, 8] = format("%06o\0 ", bytes.sum(32))
      bytes
    end

    def next_chunk(length)
      part = @parts.first
      return @parts.shift if part.is_a?(String)

      open_file(part) unless @file
      chunk = part.left.positive? ? @file.read([length, part.left].min) : nil
      raise Changed, "#{part.path} became shorter while it was read" if part.left.positive? && chunk.nil?

      part.left -= chunk.bytesize if chunk
      close_file(part) if part.left.zero?
      chunk
    rescue SystemCallError => e
      raise NotRead, "#{part.path} cannot be read: #{e.class.new.message}; it must be readable for the user #{Settings::USER}"
    end

    def open_file(part)
      @file = File.open(part.path, File::RDONLY | File::NOFOLLOW | File::BINARY)
      check(part)
    rescue Errno::ENOENT, Errno::ELOOP
      raise Changed, "#{part.path} went away while it was read"
    end

    def close_file(part)
      check(part)
      @file.close
      @file = nil
      @parts.shift
    end

    def check(part)
      now = @file.stat
      return if now.size == part.stat.size && now.mtime == part.stat.mtime && now.ino == part.stat.ino

      raise Changed, "#{part.path} was written while it was read"
    end
  end
end
