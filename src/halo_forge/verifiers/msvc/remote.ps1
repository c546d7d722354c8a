# What the Windows build host runs: loaded once a connection, then called once a program. Works in Windows PowerShell 5.1.
# Arguments arrive and replies leave as base64 of JSON in UTF-8, so that nothing in them is read as a command.
# The compiler writes to a file instead of a pipe: helpers that it leaves running would keep a pipe open.

function Send-HaloReply($Reply) {
    $json = ConvertTo-Json -InputObject $Reply -Compress
    $text = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($json))
    [Console]::Out.WriteLine($global:HaloToken + ' ' + $text)
    [Console]::Out.Flush()
}

function Read-HaloRequest([string]$Encoded) {
    ConvertFrom-Json -InputObject ([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($Encoded)))
}

function New-HaloFolder {
    $folder = Join-Path $global:HaloRoot ([Guid]::NewGuid().ToString('N'))
    [void][IO.Directory]::CreateDirectory($folder)
    $folder
}

function Remove-HaloFolder([string]$Folder) {
    Remove-Item -LiteralPath $Folder -Recurse -Force -ErrorAction SilentlyContinue
}

function Invoke-HaloCommand([string]$Folder, [string]$Command, [int]$TimeoutMs) {
    $info = New-Object System.Diagnostics.ProcessStartInfo
    $info.FileName = 'cmd.exe'
    $info.Arguments = '/d /c ' + $Command + ' > output.txt 2>&1 < nul'
    $info.WorkingDirectory = $Folder
    $info.UseShellExecute = $false
    $info.CreateNoWindow = $true
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $process = [Diagnostics.Process]::Start($info)
    $ended = $process.WaitForExit($TimeoutMs)
    $seconds = $clock.Elapsed.TotalSeconds
    if (-not $ended) {
        $killer = New-Object System.Diagnostics.ProcessStartInfo
        $killer.FileName = 'taskkill.exe'
        $killer.Arguments = '/T /F /PID ' + $process.Id
        $killer.UseShellExecute = $false
        $killer.CreateNoWindow = $true
        [void][Diagnostics.Process]::Start($killer).WaitForExit(10000)
        [void]$process.WaitForExit(10000)
    }
    $status = -1
    if ($ended) { $status = $process.ExitCode }
    @{ exit_status = $status; timed_out = (-not $ended); wall_s = $seconds; output = (Read-HaloOutput $Folder) }
}

function Read-HaloOutput([string]$Folder) {
    $file = Join-Path $Folder 'output.txt'
    if (-not [IO.File]::Exists($file)) { return '' }
    $stream = New-Object IO.FileStream($file, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::ReadWrite)
    try {
        $buffer = New-Object byte[] 65536
        $total = 0
        do {
            $count = $stream.Read($buffer, $total, $buffer.Length - $total)
            $total += $count
        } while ($count -gt 0 -and $total -lt $buffer.Length)
        [Convert]::ToBase64String($buffer, 0, $total)
    } finally { $stream.Dispose() }
}

function Find-HaloVcvars {
    $base = ${env:ProgramFiles(x86)}
    if (-not $base) { $base = $env:ProgramFiles }
    $vswhere = Join-Path $base 'Microsoft Visual Studio\Installer\vswhere.exe'
    if (-not [IO.File]::Exists($vswhere)) { throw 'no-vcvars' }
    $part = 'Microsoft.VisualStudio.Component.VC.Tools.x86.x64'
    $found = & $vswhere -latest -products '*' -requires $part -property installationPath | Select-Object -First 1
    if (-not $found) { throw 'no-vcvars' }
    Join-Path $found 'VC\Auxiliary\Build\vcvars64.bat'
}

function Import-HaloVcvars([string]$Vcvars) {
    if (-not $Vcvars) { $Vcvars = Find-HaloVcvars }
    if (-not [IO.File]::Exists($Vcvars)) { throw 'no-vcvars' }
    $folder = New-HaloFolder
    try {
        $script = Join-Path $folder 'environment.cmd'
        $lines = '@call "' + $Vcvars + '" >nul 2>&1' + "`r`n" + '@set' + "`r`n"
        [IO.File]::WriteAllText($script, $lines, [Text.Encoding]::Default)
        foreach ($line in (& cmd.exe /d /c $script)) {
            $name, $value = $line -split '=', 2
            if ($name -and $null -ne $value) { [Environment]::SetEnvironmentVariable($name, $value) }
        }
    } finally { Remove-HaloFolder $folder }
}

function Start-HaloSession([string]$Encoded) {
    try {
        $request = Read-HaloRequest $Encoded
        $global:HaloToken = $request.token
        $global:HaloRoot = Join-Path ([IO.Path]::GetTempPath()) 'halo-forge'
        [void][IO.Directory]::CreateDirectory($global:HaloRoot)
        $yesterday = (Get-Date).AddDays(-1)
        Get-ChildItem -LiteralPath $global:HaloRoot -Directory | Where-Object { $_.LastWriteTime -lt $yesterday } |
            ForEach-Object { Remove-HaloFolder $_.FullName }
        $env:VSCMD_SKIP_SENDTELEMETRY = '1'
        Import-HaloVcvars $request.vcvars
        $env:CL = $null
        $env:_CL_ = $null
        $env:VSLANG = '1033'
        if (-not (Get-Command cl.exe -CommandType Application -ErrorAction SilentlyContinue)) { throw 'no-cl' }
        $folder = New-HaloFolder
        try { $reply = Invoke-HaloCommand $folder 'cl.exe' 60000 } finally { Remove-HaloFolder $folder }
        Send-HaloReply $reply
    } catch { Send-HaloReply @{ fault = $_.Exception.Message } }
}

function Invoke-HaloCheck([string]$Encoded) {
    try {
        $request = Read-HaloRequest $Encoded
        $folder = New-HaloFolder
        try {
            $source = [Convert]::FromBase64String($request.source)
            [IO.File]::WriteAllBytes((Join-Path $folder $request.file), $source)
            $reply = Invoke-HaloCommand $folder $request.command $request.timeout_ms
        } finally { Remove-HaloFolder $folder }
        Send-HaloReply $reply
    } catch { Send-HaloReply @{ fault = $_.Exception.Message } }
}
