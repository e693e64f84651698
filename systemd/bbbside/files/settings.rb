# frozen_string_literal: true

require 'etc'
require 'fileutils'
require 'time'
require 'yaml'

# Sends the recordings of this BigBlueButton server to its load balancer. The
# standard library of Ruby 2.5 or later is all that it needs.
module ScaleliteSend
  # What goes wrong in a way that a person should read about.
  class Error < StandardError; end

  # A file that only root may read.
  class Unreadable < Error; end

  # Names of files may hold any bytes. This is text of them that a pattern, the
  # log and a job can take.
  def self.text(bytes)
    utf8(bytes).scrub
  end

  # The bytes as they are, taken for UTF-8, which they may not be.
  def self.utf8(bytes)
    bytes.dup.force_encoding(Encoding::UTF_8)
  end

  # What went wrong, in words.
  def self.cause(error)
    error.is_a?(SystemCallError) || error.is_a?(Error) ? error.message : "#{error.class}: #{error.message}"
  end

  # What the setup script wrote down, and what BigBlueButton's own files say.
  class Settings
    FILE = '/etc/bigbluebutton/recording/scalelite-sender.yml'
    # Where BigBlueButton keeps its secret; the later file overrides.
    PROPERTIES = [
      '/usr/share/bbb-web/WEB-INF/classes/bigbluebutton.properties',
      '/etc/bigbluebutton/bbb-web.properties'
    ].freeze
    STATE = '/var/bigbluebutton/scalelite'
    USER = 'bigbluebutton'

    attr_reader :balancer, :server, :transfer, :trees, :ca_file, :target, :log_file

    def initialize(file = FILE)
      values = YAML.safe_load(File.read(file))
      raise Error, "#{file} holds no settings; run the setup script again" unless values.is_a?(Hash)

      @balancer = wanted(values, 'balancer').chomp('/')
      @server = wanted(values, 'server')
      @transfer = wanted(values, 'transfer')
      @trees = [wanted(values, 'published_dir'), wanted(values, 'unpublished_dir')]
      @ca_file = values['ca_file']
      @target = values['ssh_target']
      @log_file = wanted(values, 'log_file')
      raise Error, "#{file}: transfer is #{@transfer}, not upload or ssh" unless %w[upload ssh].include?(@transfer)
    rescue Errno::ENOENT
      raise Error, "there is no #{file}; run the setup script of the load balancer"
    rescue Psych::SyntaxError => e
      raise Error, "#{file}: #{e.message}"
    end

    # The secret that this server shares with the load balancer. It is read where
    # BigBlueButton keeps it, so that there is no second copy to forget.
    def secret
      @secret ||= PROPERTIES.reverse_each.map { |file| property(file, 'securitySalt') }.compact.first ||
                  raise(Error, "there is no securitySalt in #{PROPERTIES.join(' or ')}")
    end

    private

    def wanted(values, key)
      value = values[key]
      raise Error, "#{FILE}: #{key} is missing; run the setup script again" unless value.is_a?(String) && !value.empty?

      value
    end

    def property(file, key)
      found = nil
      File.foreach(file, encoding: 'BINARY') do |line|
        name, value = line.strip.split(/\s*[=:]\s*/, 2)
        found = value.gsub(/\\(.)/, '\1') if name == key && value && !value.empty?
      end
      found
    rescue Errno::ENOENT
      nil
    rescue Errno::EACCES
      raise Unreadable, "#{file} is not readable for #{Etc.getpwuid.name}"
    end
  end

  # The log, one line an event, and the terminal where somebody looks on.
  class Log
    def initialize(file, echo: false)
      @file = file
      @echo = echo
    end

    def info(text)
      puts text if @echo
      write('INFO', text)
    end

    def warn(text)
      Kernel.warn text if @echo
      write('WARN', text)
    end

    private

    def write(level, text)
      line = "#{Time.now.utc.iso8601} #{level} [#{Process.pid}] #{ScaleliteSend.text(text).gsub(/[[:cntrl:]]+/, ' ')}\n"
      File.open(@file, File::WRONLY | File::APPEND | File::CREAT, 0o640) { |f| f.write(line) }
    rescue SystemCallError
      Kernel.warn line unless @echo
    end
  end

  # Root reads the secret and is then the user that owns the recordings.
  def self.become(name)
    return unless Process.uid.zero?

    user = Etc.getpwnam(name)
    Process.initgroups(user.name, user.gid)
    Process::GID.change_privilege(user.gid)
    Process::UID.change_privilege(user.uid)
    ENV['HOME'] = user.dir
    ENV['USER'] = ENV['LOGNAME'] = user.name
  rescue ArgumentError
    raise Error, "there is no user #{name} on this machine"
  end
end
